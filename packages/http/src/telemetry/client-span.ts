import { type Attributes, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Context } from "@throughline/context";
import { deadlineDetails } from "@throughline/context/internal";

import type { CallEnd, CallPhase, OutgoingRequest } from "../observe/client-call.ts";
import type { Rpc } from "../observe/rpc.ts";
import { ATTR, knownMethod, portOf, redactUrl } from "./attributes.ts";
import { rpcAttributes } from "./rpc.ts";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_REQUEST_RESEND_COUNT,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_RPC_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
} from "./semantic-conventions.ts";
import { tracer } from "./tracer.ts";

/** The CLIENT span of one attempt. It ends when the body is complete, or with the error that interrupts it. */
export class ClientSpan {
  readonly ctx: Context;
  readonly #span: Span;
  readonly #rpc: Rpc | undefined;

  private constructor(ctx: Context, span: Span, rpc: Rpc | undefined) {
    this.ctx = ctx;
    this.#span = span;
    this.#rpc = rpc;
  }

  /**
   * @param startedAt the start of the call on the monotonic clock, if the call started before its span
   * @returns `undefined` without a tracing SDK, and for requests that do not use HTTP
   */
  static start(ctx: Context, request: OutgoingRequest, startedAt?: number): ClientSpan | undefined {
    const spans = tracer();
    if (spans === undefined) return undefined;
    const { rpc } = request;
    if (rpc === undefined && request.url === undefined) return undefined;
    const name = rpc?.method ?? knownMethod(request.method);
    const attributes = rpc === undefined ? httpAttributes(request) : rpcAttributes(rpc);
    const startTime = startedAt === undefined ? undefined : { startTime: performance.timeOrigin + startedAt };
    const span = spans.startSpan(name, { kind: SpanKind.CLIENT, attributes, ...startTime }, ctx);
    // Set after the start, except for the attributes that samplers need by the conventions: an SDK processes start
    // attributes twice.
    if (rpc !== undefined && request.url !== undefined) span.setAttributes(serverAttributes(request.url));
    const remaining = ctx.remaining();
    if (remaining !== Infinity) span.setAttribute(ATTR.BUDGET, Math.floor(remaining));
    return new ClientSpan(trace.setSpan(ctx, span) as Context, span, rpc);
  }

  /** The response head has arrived. */
  response(status: number): void {
    // The status code of an RPC comes later.
    if (this.#rpc === undefined) this.#span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
  }

  /** Ends the span. A second call does nothing. */
  end({ endedBy, errorType }: CallEnd, phase: CallPhase): void {
    const span = this.#span;
    if (!span.isRecording()) return;
    span.setAttribute(ATTR.ENDED_BY, endedBy);
    if (endedBy !== "response") span.setAttribute(ATTR.PHASE, phase);
    const source = endedBy === "deadline" ? deadlineDetails(this.ctx)?.source : undefined;
    if (source !== undefined) span.setAttribute(ATTR.SOURCE, source);
    if (this.#rpc?.code !== undefined) span.setAttribute(ATTR_RPC_STATUS_CODE, this.#rpc.code);
    if (errorType !== undefined) {
      span.setAttribute(ATTR_ERROR_TYPE, errorType);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }
}

function httpAttributes({ method, url, attempt }: OutgoingRequest): Attributes {
  return {
    [ATTR_HTTP_REQUEST_METHOD]: knownMethod(method),
    ...(url === undefined ? undefined : { [ATTR_URL_FULL]: redactUrl(url), ...serverAttributes(url) }),
    ...(attempt > 1 ? { [ATTR_HTTP_REQUEST_RESEND_COUNT]: attempt - 1 } : undefined),
  };
}

function serverAttributes(url: URL): Attributes {
  return { [ATTR_SERVER_ADDRESS]: url.hostname, [ATTR_SERVER_PORT]: portOf(url) };
}
