import { propagation, type TextMapSetter } from "@opentelemetry/api";
import { type Context, createKey, withValue } from "@throughline/context";

import type { CallPhase, OutgoingRequest } from "../observe/client-call.ts";
import { isMeasured, measureCall } from "../telemetry/client-metrics.ts";
import { ClientSpan } from "../telemetry/client-span.ts";
import { injectTrace } from "../telemetry/trace-context.ts";
import { criticality, CRITICALITY_HEADER } from "../wire/criticality.ts";
import { grpcTimeout } from "../wire/dialects.ts";
import { MESSAGE_DEADLINE_HEADER } from "../wire/message-deadline.ts";
import { requestIdHeader } from "../wire/request-id.ts";
import { noteCall } from "./call-details.ts";
import { callEnd } from "./call-end.ts";
import type { ClientSettings } from "./client-options.ts";
import { outboundDeadline } from "./outbound-deadline.ts";
import { type Allowed, valueHeaders } from "./outbound-policy.ts";

/** How often it was tried before (gRFC A6). */
const ATTEMPTS_HEADER = "grpc-previous-rpc-attempts";

/** Baggage of Jaeger and of OpenTracing. */
const BAGGAGE_ELSEWHERE = /^(?:uberctx-|ot-baggage-)/i;

const callKey = createKey<OutboundCall>("call");

/** When the CLIENT span of a call is made: before it is sent, or when it is known whether an instrumentation makes one. */
export type SpanTime = "now" | "deferred";

/** One request to another service, from before it is sent to the end of its response, whatever sends it. */
export class OutboundCall {
  /** What it is sent under. */
  readonly ctx: Context;
  /** To be set on the request, in the place of any of the same name. */
  headers: Headers;
  phase: CallPhase = "queue";
  /** The object that stands for the call in the client that sends it. */
  owner: object | undefined = undefined;
  readonly #base: Context;
  readonly #request: OutgoingRequest;
  readonly #settings: ClientSettings;
  readonly #from = performance.now();
  #isTracedElsewhere: boolean;
  #span: ClientSpan | undefined;
  #status: number | undefined;
  #isOver = false;

  private constructor(
    ctx: Context,
    request: OutgoingRequest,
    settings: ClientSettings,
    headers: Headers,
    span: ClientSpan | undefined,
  ) {
    this.ctx = withValue(span?.ctx ?? ctx, callKey, this);
    this.#base = ctx;
    this.#request = request;
    this.#settings = settings;
    this.#isTracedElsewhere = request.isTracedElsewhere;
    this.headers = headers;
    this.#span = span;
  }

  /**
   * @param ctx what it must be over with
   * @throws ContextError that of the context if it has ended; `DeadlineExceeded` if too little time is left to call
   */
  static begin(
    ctx: Context,
    request: OutgoingRequest,
    settings: ClientSettings,
    spanTime: SpanTime = "now",
  ): OutboundCall {
    const span = request.isTracedElsewhere || spanTime === "deferred" ? undefined : ClientSpan.start(ctx, request);
    try {
      const headers = headersFor(span?.ctx ?? ctx, request, settings);
      return new OutboundCall(ctx, request, settings, headers, span);
    } catch (error) {
      span?.end(callEnd(error, false, undefined), "queue");
      throw error;
    }
  }

  /** Makes the span that was deferred, and renews the headers, which name it. The request is about to leave: time is not checked again. */
  startSpan(): void {
    this.#span ??= ClientSpan.start(this.#base, this.#request, this.#from);
    const { ctx } = this.#span ?? {};
    if (ctx === undefined) return;
    const trace: [string, string][] = [];
    propagate(ctx, allowedFor(this.#request, this.#settings), trace);
    this.headers = [...this.headers.filter(([name]) => !isTraceHeader(name)), ...trace];
  }

  /** An instrumentation has made the span, and written its headers: we do neither. */
  leaveTrace(): void {
    this.#isTracedElsewhere = true;
    const to = allowedFor(this.#request, this.#settings);
    const others = this.headers.filter(([name]) => !isTraceHeader(name) && name !== "baggage");
    this.headers = [...others, ...valueHeaders(this.#base, to, this.#request.baggage, false)];
  }

  /** The headers for where it is redirected to, in the place of those that it had. */
  headersFor(url: URL): Headers {
    return headersFor(this.#span?.ctx ?? this.#base, { ...this.#outgoing(), url }, this.#settings);
  }

  /**
   * The request that a redirect leads to, with a span and headers of its own. This one must have ended.
   *
   * @throws ContextError as {@link OutboundCall.begin} does
   */
  redirected(method: string, url: URL): OutboundCall {
    const next = OutboundCall.begin(this.#base, { ...this.#outgoing(), method, url }, this.#settings);
    next.owner = this.owner;
    return next;
  }

  /** The request as it is now. Its members may be accessors, so that it cannot be spread. */
  #outgoing(): OutgoingRequest {
    const { method, url, attempt, rpc, baggage } = this.#request;
    return { method, url, attempt, isTracedElsewhere: this.#isTracedElsewhere, rpc, baggage };
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
    const span = this.#span;
    if (error === undefined && span === undefined && !isMeasured()) return;
    const { method, url, rpc, attempt } = this.#request;
    if (url === undefined && rpc === undefined) return;
    const elapsed = performance.now() - this.#from;
    const ending = callEnd(error, isGivenUp, this.#status);
    if (error !== undefined) {
      const called = url === undefined ? rpc!.method : url.origin + url.pathname;
      noteCall(error, { method, url: called, attempt, phase: this.phase, elapsed });
    }
    span?.end(ending, this.phase);
    if (!this.#isTracedElsewhere) {
      measureCall({ method, url, rpc, status: this.#status, errorType: ending.errorType, elapsed });
    }
  }
}

type Headers = readonly (readonly [name: string, value: string])[];

/** Whether a propagator writes this header, baggage apart, which others have a part in. */
function isTraceHeader(name: string): boolean {
  if (name === "traceparent" || name === "tracestate") return true;
  return name !== "baggage" && !isDeadlineHeader(name) && propagation.fields().includes(name);
}

/** Whether a propagator of deadlines writes this header. On requests of ours the deadline is written by the client's options. */
function isDeadlineHeader(name: string): boolean {
  return name === grpcTimeout.header || name === MESSAGE_DEADLINE_HEADER;
}

/** What goes along to where the request goes. */
export function headersFor(ctx: Context, request: OutgoingRequest, settings: ClientSettings): Headers {
  const to = allowedFor(request, settings);
  const deadline = outboundDeadline(ctx, settings);
  const headers: [string, string][] = deadline !== undefined && to.deadline ? [[deadline.header, deadline.value]] : [];
  const which = criticality(ctx);
  if (which !== "default" && to.criticality) headers.push([CRITICALITY_HEADER, which]);
  const id = to.trace ? requestIdHeader(ctx) : undefined;
  if (id !== undefined) headers.push([...id]);
  if (request.attempt > 1) headers.push([ATTEMPTS_HEADER, String(request.attempt - 1)]);
  const propagated = request.isTracedElsewhere ? undefined : propagate(ctx, to, headers);
  headers.push(...valueHeaders(ctx, to, propagated ?? request.baggage, propagated !== undefined));
  return headers;
}

function allowedFor(request: OutgoingRequest, settings: ClientSettings): Allowed {
  // To know the address may take longer than all the rest.
  return settings.policy(settings.isSelective ? request.url : undefined);
}

/** Adds what propagators write, as far as it may go; gives their baggage, which is joined with ours. */
function propagate(ctx: Context, to: Allowed, headers: [string, string][]): string | undefined {
  const carrier: Carrier = { headers, to, baggage: undefined };
  injectTrace(ctx, carrier, setter);
  return carrier.baggage;
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
    if (isDeadlineHeader(name)) return;
    if (name.toLowerCase() === "baggage") {
      if (to.values) carrier.baggage = value;
    } else if (BAGGAGE_ELSEWHERE.test(name) ? to.values : to.trace) headers.push([name, value]);
  },
};

/** The attempt that is being sent here. */
export function outboundCallIn(ctx: Context): OutboundCall | undefined {
  return ctx.value(callKey);
}
