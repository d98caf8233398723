import { type Context } from "@throughline/context";
import { deadlineDetails, lazyInstruments, now } from "@throughline/context/internal";

import type { IncomingRequest, Outcome, ServerObserver } from "../observe/server-request.ts";
import type { Budget } from "../wire/caller-budget.ts";
import { ATTR, DEADLINE_EXCEEDED, knownMethod } from "./attributes.ts";
import { SCOPE, seconds } from "./meter.ts";
import { rpcAttributes, serverFault } from "./rpc.ts";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_URL_SCHEME,
  METRIC_HTTP_SERVER_REQUEST_DURATION,
  METRIC_RPC_SERVER_CALL_DURATION,
} from "./semantic-conventions.ts";
import { deadlineIn, errorTypeOf } from "./server-span.ts";

const serverInstruments = lazyInstruments(SCOPE, (meter) => {
  return {
    duration: seconds(meter, METRIC_HTTP_SERVER_REQUEST_DURATION, "Duration of HTTP server requests."),
    rpcDuration: seconds(meter, METRIC_RPC_SERVER_CALL_DURATION, "Duration of RPC server calls."),
    remaining: seconds(
      meter,
      "throughline.server.deadline.remaining",
      "Time until the deadline when a request arrives.",
    ),
    exceeded: seconds(meter, "throughline.server.deadline.exceeded", "Time from the deadline of a request to its end."),
    ended: meter.createCounter("throughline.server.requests", {
      description: "Finished requests, by what ended them.",
      unit: "{request}",
    }),
    invalid: meter.createCounter("throughline.deadline.invalid", {
      description: "Malformed deadline headers.",
      unit: "{header}",
    }),
    refused: meter.createCounter("throughline.values.refused", {
      description: "Propagated values that were rejected, by name and reason.",
      unit: "{value}",
    }),
  };
});

type Instruments = NonNullable<ReturnType<typeof serverInstruments>>;

/** Counts a malformed deadline header. */
export function countInvalid(header: string): void {
  serverInstruments()?.invalid.add(1, { header });
}

/** Counts a propagated value that was rejected: the peer is not trusted, or the value is malformed. */
export function countRefusedValue(name: string, reason: "untrusted" | "invalid"): void {
  serverInstruments()?.refused.add(1, { name, reason });
}

/** The metrics of one request. */
export class ServerMeasurement implements ServerObserver {
  readonly #instruments: Instruments;
  readonly #request: IncomingRequest;
  readonly #isMeasuredElsewhere: boolean;
  readonly #startedAt = now();

  private constructor(instruments: Instruments, request: IncomingRequest, isMeasuredElsewhere: boolean) {
    this.#instruments = instruments;
    this.#request = request;
    this.#isMeasuredElsewhere = isMeasuredElsewhere;
  }

  /**
   * @param isMeasuredElsewhere whether another instrumentation records the duration, which must be recorded once
   * @returns `undefined` without a metrics SDK
   */
  static start(
    request: IncomingRequest,
    budget: Budget | undefined,
    isMeasuredElsewhere: boolean,
  ): ServerMeasurement | undefined {
    const instruments = serverInstruments();
    if (instruments === undefined) return undefined;
    if (budget !== undefined && budget.ms !== Infinity) {
      instruments.remaining.record(budget.ms / 1000, { [ATTR.SOURCE]: budget.source });
    }
    return new ServerMeasurement(instruments, request, isMeasuredElsewhere);
  }

  end(outcome: Outcome, { ctx }: { readonly ctx: Context }): void {
    const { endedBy } = outcome;
    const deadline = endedBy === "deadline" ? (deadlineIn(outcome.error) ?? deadlineDetails(ctx)) : undefined;
    const source = deadline?.source === undefined ? undefined : { [ATTR.SOURCE]: deadline.source };
    this.#instruments.ended.add(1, { [ATTR.ENDED_BY]: endedBy, ...source });
    if (deadline !== undefined && deadline.elapsed >= deadline.budget) {
      this.#instruments.exceeded.record((deadline.elapsed - deadline.budget) / 1000, source);
    }
    if (this.#isMeasuredElsewhere) return;
    const duration = (now() - this.#startedAt) / 1000;
    const { rpc } = this.#request;
    if (rpc === undefined) return this.#instruments.duration.record(duration, this.#attributes(outcome));
    const fault = serverFault(rpc);
    const error = fault === undefined ? undefined : { [ATTR_ERROR_TYPE]: fault };
    this.#instruments.rpcDuration.record(duration, { ...rpcAttributes(rpc), ...error });
  }

  #attributes({ endedBy, status, route, error }: Outcome): Record<string, string | number | undefined> {
    const isError = endedBy === "error" || (status ?? 0) >= 500;
    const errorType = endedBy === "deadline" ? DEADLINE_EXCEEDED : isError ? errorTypeOf(error, status) : undefined;
    return {
      [ATTR_HTTP_REQUEST_METHOD]: knownMethod(this.#request.method),
      [ATTR_URL_SCHEME]: this.#request.scheme,
      ...(this.#request.protocolVersion === undefined
        ? undefined
        : { [ATTR_NETWORK_PROTOCOL_VERSION]: this.#request.protocolVersion }),
      ...(status === undefined ? undefined : { [ATTR_HTTP_RESPONSE_STATUS_CODE]: status }),
      ...(route === undefined ? undefined : { [ATTR_HTTP_ROUTE]: route }),
      ...(errorType === undefined ? undefined : { [ATTR_ERROR_TYPE]: errorType }),
    };
  }
}
