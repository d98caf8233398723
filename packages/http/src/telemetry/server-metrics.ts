import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_URL_SCHEME,
  METRIC_HTTP_SERVER_REQUEST_DURATION,
} from "@opentelemetry/semantic-conventions";
import { type Context, type DeadlineDetails, DeadlineExceeded } from "@throughline/context";
import { deadlineDetails } from "@throughline/context/internal";

import type { IncomingRequest, Outcome, ServerObserver } from "../observe/server-request.ts";
import type { Budget } from "../wire/caller-budget.ts";
import { causes } from "../wire/causes.ts";
import { ATTR, DEADLINE_EXCEEDED, knownMethod } from "./attributes.ts";
import { instruments, seconds } from "./meter.ts";
import { METRIC_RPC_SERVER_CALL_DURATION } from "./rpc-conventions.ts";
import { rpcAttributes, serverFault } from "./rpc.ts";
import { errorTypeOf } from "./server-span.ts";

const serverInstruments = instruments((meter) => {
  return {
    duration: seconds(meter, METRIC_HTTP_SERVER_REQUEST_DURATION, "Duration of HTTP server requests."),
    rpcDuration: seconds(meter, METRIC_RPC_SERVER_CALL_DURATION, "Duration of calls that were served."),
    remaining: seconds(meter, "throughline.server.deadline.remaining", "Time left when a request arrived."),
    exceeded: seconds(meter, "throughline.server.deadline.exceeded", "How long after its deadline a request was over."),
    ended: meter.createCounter("throughline.server.requests", {
      description: "Requests that are over, by what ended them.",
      unit: "{request}",
    }),
    invalid: meter.createCounter("throughline.deadline.invalid", {
      description: "Deadline headers that did not follow their grammar.",
      unit: "{header}",
    }),
    refused: meter.createCounter("throughline.values.refused", {
      description: "Values of requests that were not taken, by name and reason.",
      unit: "{value}",
    }),
  };
});

type Instruments = NonNullable<ReturnType<typeof serverInstruments>>;

/** Counts a deadline header that could not be read. */
export function countInvalid(header: string): void {
  serverInstruments()?.invalid.add(1, { header });
}

/** Counts a value that was not taken: whoever sent it may not, or it is none. */
export function countRefusedValue(name: string, reason: "untrusted" | "invalid"): void {
  serverInstruments()?.refused.add(1, { name, reason });
}

/** What is measured of one request. */
export class ServerMeasurement implements ServerObserver {
  readonly #instruments: Instruments;
  readonly #request: IncomingRequest;
  readonly #isMeasuredElsewhere: boolean;
  readonly #from = performance.now();

  private constructor(instruments: Instruments, request: IncomingRequest, isMeasuredElsewhere: boolean) {
    this.#instruments = instruments;
    this.#request = request;
    this.#isMeasuredElsewhere = isMeasuredElsewhere;
  }

  /**
   * @param isMeasuredElsewhere whether an instrumentation tells the duration of the request, which must not be told twice
   * @returns `undefined` where nobody measures
   */
  static start(
    request: IncomingRequest,
    budget: Budget | undefined,
    isMeasuredElsewhere: boolean,
  ): ServerMeasurement | undefined {
    const known = serverInstruments();
    if (known === undefined) return undefined;
    if (budget !== undefined && budget.ms !== Infinity) {
      known.remaining.record(budget.ms / 1000, { [ATTR.SOURCE]: budget.source });
    }
    return new ServerMeasurement(known, request, isMeasuredElsewhere);
  }

  end(outcome: Outcome, { ctx }: { readonly ctx: Context }): void {
    const { endedBy } = outcome;
    const deadline = endedBy === "deadline" ? (detailsIn(outcome.error) ?? deadlineDetails(ctx)) : undefined;
    const source = deadline?.source === undefined ? undefined : { [ATTR.SOURCE]: deadline.source };
    this.#instruments.ended.add(1, { [ATTR.ENDED_BY]: endedBy, ...source });
    if (deadline !== undefined && deadline.elapsed >= deadline.budget) {
      this.#instruments.exceeded.record((deadline.elapsed - deadline.budget) / 1000, source);
    }
    if (this.#isMeasuredElsewhere) return;
    const took = (performance.now() - this.#from) / 1000;
    const { rpc } = this.#request;
    if (rpc === undefined) return this.#instruments.duration.record(took, this.#attributes(outcome));
    const fault = serverFault(rpc);
    const error = fault === undefined ? undefined : { [ATTR_ERROR_TYPE]: fault };
    this.#instruments.rpcDuration.record(took, { ...rpcAttributes(rpc), ...error });
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

/** What the error itself says of the clock that fired: it may be that of a limit, or of a deadline further in. */
function detailsIn(error: unknown): DeadlineDetails | undefined {
  for (const each of causes(error)) {
    if (!(each instanceof DeadlineExceeded) || each.budget === undefined || each.elapsed === undefined) continue;
    return { budget: each.budget, elapsed: each.elapsed, source: each.source };
  }
  return undefined;
}
