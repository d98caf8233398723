import type { TextMapSetter } from "@opentelemetry/api";
import { type Context, createKey, withValue } from "@throughline/context";

import { measureCall } from "../telemetry/client-metrics.ts";
import { ClientSpan } from "../telemetry/client-span.ts";
import type { Rpc } from "../telemetry/rpc.ts";
import { injectTrace } from "../telemetry/trace-context.ts";
import { criticality, CRITICALITY_HEADER } from "../values/criticality.ts";
import { type CallPhase, noteCall } from "./call-details.ts";
import { callEnding } from "./call-ending.ts";
import type { ClientSettings } from "./client-options.ts";
import { type Allowed, valueHeaders } from "./outbound-policy.ts";
import { outboundDeadline } from "./outbound.ts";

/** A request that is about to be sent. */
export interface OutgoingRequest {
  readonly method: string;
  /** `undefined` where nothing goes over HTTP. */
  readonly url: URL | undefined;
  /** 1 for the first. */
  readonly attempt: number;
  /** Whether an instrumentation makes its span, and writes its trace headers: then we do neither. */
  readonly isTracedElsewhere: boolean;
  /** The procedure that it calls, where it does. */
  readonly rpc?: Rpc | undefined;
  /** The `baggage` that the caller has written by hand. */
  readonly baggage?: string | undefined;
}

/** How often it was tried before (gRFC A6). */
const ATTEMPTS_HEADER = "grpc-previous-rpc-attempts";

/** Baggage of Jaeger and of OpenTracing. */
const BAGGAGE_ELSEWHERE = /^(?:uberctx-|ot-baggage-)/i;

const callKey = createKey<OutboundCall>("call");

/** One attempt to call another service, from before it is sent to the end of its response, whatever sends it. */
export class OutboundCall {
  /** What it is sent under. */
  readonly ctx: Context;
  /** To be set on the request, in the place of any of the same name. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  phase: CallPhase = "queue";
  readonly #request: OutgoingRequest;
  readonly #span: ClientSpan | undefined;
  readonly #from = performance.now();
  #status: number | undefined;
  #isOver = false;

  private constructor(
    ctx: Context,
    request: OutgoingRequest,
    headers: [string, string][],
    span: ClientSpan | undefined,
  ) {
    this.ctx = withValue(span?.ctx ?? ctx, callKey, this);
    this.#request = request;
    this.headers = headers;
    this.#span = span;
  }

  /**
   * @param ctx what it must be over with
   * @throws ContextError that of the context if it has ended; `DeadlineExceeded` if too little time is left to call
   */
  static begin(ctx: Context, request: OutgoingRequest, settings: ClientSettings): OutboundCall {
    const { url, rpc, isTracedElsewhere } = request;
    const span =
      isTracedElsewhere || (url === undefined && rpc === undefined) ? undefined : ClientSpan.start(ctx, request);
    try {
      return new OutboundCall(ctx, request, headersFor(span?.ctx ?? ctx, request, settings), span);
    } catch (error) {
      span?.end(callEnding(error, false, undefined), "queue");
      throw error;
    }
  }

  /** The headers for where it is redirected to, in the place of those that it had. */
  headersFor(url: URL, settings: ClientSettings): [string, string][] {
    return headersFor(this.#span?.ctx ?? this.ctx, { ...this.#request, url }, settings);
  }

  /** A connection is being made for it. */
  connecting(): void {
    if (this.phase === "queue") this.phase = "connect";
  }

  /** The request is on its way. */
  sent(): void {
    if (this.phase !== "body") this.phase = "headers";
  }

  /** The head of the response is here. */
  response(status: number): void {
    this.phase = "body";
    this.#status = status;
    this.#span?.response(status);
  }

  /**
   * It is over: with an error, unless the body is read or nobody wants it. A second call does nothing.
   *
   * @param isGivenUp whether the caller's own signal has ended it: that somebody wanted, and is no error
   */
  end(error?: unknown, isGivenUp = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { method, url, rpc, attempt, isTracedElsewhere } = this.#request;
    if (url === undefined && rpc === undefined) return;
    const elapsed = performance.now() - this.#from;
    const ending = callEnding(error, isGivenUp, this.#status);
    if (error !== undefined) {
      const called = url === undefined ? rpc!.method : url.origin + url.pathname;
      noteCall(error, { method, url: called, attempt, phase: this.phase, elapsed });
    }
    this.#span?.end(ending, this.phase);
    if (!isTracedElsewhere) {
      measureCall({ method, url, rpc, status: this.#status, errorType: ending.errorType, elapsed });
    }
  }
}

/** What goes along to where the request goes. */
function headersFor(ctx: Context, request: OutgoingRequest, settings: ClientSettings): [string, string][] {
  const { url, attempt, isTracedElsewhere, baggage } = request;
  const to = settings.policy(url);
  const deadline = outboundDeadline(ctx, settings);
  const headers: [string, string][] = deadline !== undefined && to.deadline ? [[deadline.header, deadline.value]] : [];
  const which = criticality(ctx);
  if (which !== "default" && to.criticality) headers.push([CRITICALITY_HEADER, which]);
  if (attempt > 1) headers.push([ATTEMPTS_HEADER, String(attempt - 1)]);
  const carrier: Carrier = { headers, to, baggage: undefined };
  if (!isTracedElsewhere) injectTrace(ctx, carrier, setter);
  const propagated = carrier.baggage;
  headers.push(...valueHeaders(ctx, to, propagated ?? baggage, propagated !== undefined));
  return headers;
}

/** Where a propagator of OpenTelemetry writes what goes along. */
interface Carrier {
  readonly headers: [string, string][];
  readonly to: Allowed;
  baggage: string | undefined;
}

const setter: TextMapSetter<Carrier> = {
  set(carrier, name, value): void {
    const { headers, to } = carrier;
    if (name.toLowerCase() === "baggage") {
      if (to.values) carrier.baggage = value;
    } else if (BAGGAGE_ELSEWHERE.test(name) ? to.values : to.trace) headers.push([name, value]);
  },
};

/** The attempt that is being sent here. */
export function callIn(ctx: Context): OutboundCall | undefined {
  return ctx.value(callKey);
}
