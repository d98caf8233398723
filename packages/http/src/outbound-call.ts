import { type Context, createKey, withValue } from "@throughline/context";

import { type CallPhase, noteCall } from "./call-details.ts";
import type { ClientSettings } from "./client-options.ts";
import { ClientSpan } from "./client-span.ts";
import { criticality, CRITICALITY_HEADER } from "./criticality.ts";
import { outboundDeadline } from "./outbound.ts";
import { injectTrace } from "./trace-context.ts";

/** A request that is about to be sent. */
export interface OutgoingRequest {
  readonly method: string;
  /** `undefined` where nothing goes over HTTP. */
  readonly url: URL | undefined;
  /** 1 for the first. */
  readonly attempt: number;
  /** Whether an instrumentation makes its span, and writes its trace headers: then we do neither. */
  readonly isTracedElsewhere: boolean;
}

/** How often it was tried before (gRFC A6). */
const ATTEMPTS_HEADER = "grpc-previous-rpc-attempts";

const callKey = createKey<OutboundCall>("call");

const setter = {
  set(headers: [string, string][], name: string, value: string): void {
    headers.push([name, value]);
  },
};

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
    const headers: [string, string][] = [];
    const deadline = outboundDeadline(ctx, settings);
    if (deadline !== undefined) headers.push([deadline.header, deadline.value]);
    const which = criticality(ctx);
    if (which !== "default") headers.push([CRITICALITY_HEADER, which]);
    if (request.attempt > 1) headers.push([ATTEMPTS_HEADER, String(request.attempt - 1)]);

    const { url, isTracedElsewhere } = request;
    const span =
      isTracedElsewhere || url === undefined ? undefined : ClientSpan.start(ctx, request.method, url, request.attempt);
    if (!isTracedElsewhere) injectTrace(span?.ctx ?? ctx, headers, setter);
    return new OutboundCall(ctx, request, headers, span);
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
    const { method, url, attempt } = this.#request;
    const elapsed = performance.now() - this.#from;
    if (url !== undefined)
      noteCall(error, { method, url: url.origin + url.pathname, attempt, phase: this.phase, elapsed });
    this.#span?.end(error, isGivenUp, this.phase);
  }
}

/** The attempt that is being sent here. */
export function callIn(ctx: Context): OutboundCall | undefined {
  return ctx.value(callKey);
}
