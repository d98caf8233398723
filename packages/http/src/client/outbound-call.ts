import { propagation, type TextMapSetter } from "@opentelemetry/api";
import { type Context, createKey, withValue } from "@throughline/context";
import { now } from "@throughline/context/internal";
import { criticality } from "@throughline/resilience/internal";

import type { CallPhase, OutgoingRequest } from "../observe/client-call.ts";
import { isMeasured, measureCall } from "../telemetry/client-metrics.ts";
import { ClientSpan } from "../telemetry/client-span.ts";
import { injectTrace } from "../telemetry/trace-context.ts";
import { CRITICALITY_HEADER } from "../wire/criticality.ts";
import { grpcTimeout, MESSAGE_DEADLINE_HEADER } from "../wire/dialects.ts";
import { requestIdHeader } from "../wire/request-id.ts";
import { callEnd, recordCall } from "./call-end.ts";
import type { ClientSettings } from "./client-options.ts";
import { outboundDeadline } from "./outbound-deadline.ts";
import { type SendPermissions, valueHeaders } from "./outbound-policy.ts";

/** The number of previous attempts (gRFC A6). */
const ATTEMPTS_HEADER = "grpc-previous-rpc-attempts";

/** Baggage headers of Jaeger and OpenTracing. */
const LEGACY_BAGGAGE = /^(?:uberctx-|ot-baggage-)/i;

const callKey = createKey<OutboundCall>("call");

/**
 * When to start the CLIENT span of a call: before it is sent, or once it is known whether an instrumentation makes one.
 */
export type SpanTime = "now" | "deferred";

/**
 * One attempt of a request to another service, until the end of its response. Works with any HTTP client: the client
 * sets `headers` on the request, sends it under `ctx`, and reports each phase.
 */
export class OutboundCall {
  /** The context to send the request under. */
  readonly ctx: Context;
  /** Headers to set on the request. They replace headers of the same name. */
  headers: Headers;
  phase: CallPhase = "queue";
  /** The client's own object for the call. */
  owner: object | undefined = undefined;
  readonly #parent: Context;
  readonly #request: OutgoingRequest;
  readonly #settings: ClientSettings;
  readonly #startedAt = now();
  #isTracedElsewhere: boolean;
  #span: ClientSpan | undefined;
  #status: number | undefined;
  #hasEnded = false;

  private constructor(
    ctx: Context,
    request: OutgoingRequest,
    settings: ClientSettings,
    headers: Headers,
    span: ClientSpan | undefined,
  ) {
    this.ctx = withValue(span?.ctx ?? ctx, callKey, this);
    this.#parent = ctx;
    this.#request = request;
    this.#settings = settings;
    this.#isTracedElsewhere = request.isTracedElsewhere;
    this.headers = headers;
    this.#span = span;
  }

  /**
   * Starts a call. The caller must end it.
   *
   * @throws ContextError the context's own error if it has ended; `DeadlineExceeded` if too little time is left
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

  /**
   * Starts the deferred span and updates the trace headers. Does not check the remaining time again, because the
   * request is about to be sent.
   */
  startSpan(): void {
    this.#span ??= ClientSpan.start(this.#parent, this.#request, this.#startedAt);
    const { ctx } = this.#span ?? {};
    if (ctx === undefined) return;
    const trace: [string, string][] = [];
    propagate(ctx, permissionsFor(this.#request, this.#settings), trace);
    this.headers = [...this.headers.filter(([name]) => !isTraceHeader(name)), ...trace];
  }

  /** Leaves the span and the trace headers to another instrumentation. */
  leaveTrace(): void {
    this.#isTracedElsewhere = true;
    const permitted = permissionsFor(this.#request, this.#settings);
    const others = this.headers.filter(([name]) => !isTraceHeader(name) && name !== "baggage");
    this.headers = [...others, ...valueHeaders(this.#parent, permitted, this.#request.baggage, false)];
  }

  /** Returns the headers for the target of a redirect. They replace the previous headers. */
  headersFor(url: URL): Headers {
    return headersFor(this.#span?.ctx ?? this.#parent, { ...this.#outgoing(), url }, this.#settings);
  }

  /**
   * Starts the call that follows a redirect, with its own span and headers. This call must have ended.
   *
   * @throws ContextError as {@link OutboundCall.begin} does
   */
  redirected(method: string, url: URL): OutboundCall {
    const next = OutboundCall.begin(this.#parent, { ...this.#outgoing(), method, url }, this.#settings);
    next.owner = this.owner;
    return next;
  }

  /** The request in its current state. Its properties may be accessors of a class, so it cannot be spread. */
  #outgoing(): OutgoingRequest {
    const { method, url, attempt, rpc, baggage } = this.#request;
    return { method, url, attempt, isTracedElsewhere: this.#isTracedElsewhere, rpc, baggage };
  }

  /** Reports that a connection is being opened for the call. */
  connecting(): void {
    if (this.phase === "queue") this.phase = "connect";
  }

  /** Reports that the request was sent. */
  sent(): void {
    if (this.phase !== "body") this.phase = "headers";
  }

  /** Reports that the response head has arrived. */
  response(status: number): void {
    this.phase = "body";
    this.#status = status;
    this.#span?.response(status);
  }

  /**
   * Ends the call. A second call does nothing.
   *
   * @param error absent if the body was read or discarded
   * @param isAbortedByCaller whether the caller's own signal aborted the call, which is not an error
   */
  end(error?: unknown, isAbortedByCaller = false): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const span = this.#span;
    if (error === undefined && span === undefined && !isMeasured()) return;
    const { method, url, rpc, attempt } = this.#request;
    if (url === undefined && rpc === undefined) return;
    const elapsed = now() - this.#startedAt;
    const end = callEnd(error, isAbortedByCaller, this.#status);
    if (error !== undefined) {
      const target = url === undefined ? rpc!.method : url.origin + url.pathname;
      recordCall(error, { method, url: target, attempt, phase: this.phase, elapsed });
    }
    span?.end(end, this.phase);
    if (!this.#isTracedElsewhere) {
      measureCall({ method, url, rpc, status: this.#status, errorType: end.errorType, elapsed });
    }
  }
}

type Headers = readonly (readonly [name: string, value: string])[];

/** Whether a propagator writes this header. Baggage does not count, because it also contains propagated values. */
function isTraceHeader(name: string): boolean {
  if (name === "traceparent" || name === "tracestate") return true;
  return name !== "baggage" && !isDeadlineHeader(name) && propagation.fields().includes(name);
}

/** Whether a `DeadlinePropagator` writes this header. In a call, the client's options determine the deadline header. */
function isDeadlineHeader(name: string): boolean {
  return name === grpcTimeout.header || name === MESSAGE_DEADLINE_HEADER;
}

/**
 * Returns the headers that propagate the context in a request.
 *
 * @throws ContextError the context's own error if it has ended; `DeadlineExceeded` if too little time is left
 */
export function headersFor(ctx: Context, request: OutgoingRequest, settings: ClientSettings): Headers {
  const permitted = permissionsFor(request, settings);
  const deadline = outboundDeadline(ctx, settings);
  const headers: [string, string][] =
    deadline !== undefined && permitted.deadline ? [[deadline.header, deadline.value]] : [];
  const level = criticality(ctx);
  if (level !== "default" && permitted.criticality) headers.push([CRITICALITY_HEADER, level]);
  const id = permitted.trace ? requestIdHeader(ctx) : undefined;
  if (id !== undefined) headers.push([...id]);
  if (request.attempt > 1) headers.push([ATTEMPTS_HEADER, String(request.attempt - 1)]);
  const propagated = request.isTracedElsewhere ? undefined : propagate(ctx, permitted, headers);
  headers.push(...valueHeaders(ctx, permitted, propagated ?? request.baggage, propagated !== undefined));
  return headers;
}

function permissionsFor(request: OutgoingRequest, settings: ClientSettings): SendPermissions {
  // Parsing the URL may take longer than everything else here.
  return settings.policy(settings.isSelective ? request.url : undefined);
}

/**
 * Adds the headers of the propagators as far as permitted. Returns their baggage, to be merged with propagated values.
 */
function propagate(ctx: Context, permitted: SendPermissions, headers: [string, string][]): string | undefined {
  const carrier: Carrier = { headers, permitted, baggage: undefined };
  injectTrace(ctx, carrier, setter);
  return carrier.baggage;
}

/** Collects the headers of OpenTelemetry's propagators. */
interface Carrier {
  readonly headers: [string, string][];
  readonly permitted: SendPermissions;
  baggage: string | undefined;
}

const setter: TextMapSetter<Carrier> = {
  set(carrier, name, value): void {
    const { headers, permitted } = carrier;
    if (isDeadlineHeader(name)) return;
    if (name.toLowerCase() === "baggage") {
      if (permitted.values) carrier.baggage = value;
    } else if (LEGACY_BAGGAGE.test(name) ? permitted.values : permitted.trace) headers.push([name, value]);
  },
};

/** Returns the call that is being sent under this context. */
export function outboundCallIn(ctx: Context): OutboundCall | undefined {
  return ctx.value(callKey);
}
