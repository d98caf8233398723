import { type Attributes, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_REQUEST_RESEND_COUNT,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
} from "@opentelemetry/semantic-conventions";
import type { Context } from "@throughline/context";

import type { CallEnd, CallPhase, OutgoingRequest } from "../observe/client-call.ts";
import type { Rpc } from "../observe/rpc.ts";
import { ATTR, knownMethod, portOf, redactUrl } from "./attributes.ts";
import { ATTR_RPC_STATUS_CODE } from "./rpc-conventions.ts";
import { rpcAttributes } from "./rpc.ts";
import { tracer } from "./tracer.ts";

/** The CLIENT span of one attempt. It ends once: with the body, or with what kept it from arriving. */
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
   * @param from when the call began, on the monotonic clock, for a span that is made later
   * @returns `undefined` where nobody traces, and for what does not go over HTTP
   */
  static start(ctx: Context, request: OutgoingRequest, from?: number): ClientSpan | undefined {
    const spans = tracer();
    if (spans === undefined) return undefined;
    const { rpc } = request;
    if (rpc === undefined && request.url === undefined) return undefined;
    const name = rpc?.method ?? knownMethod(request.method);
    const attributes = rpc === undefined ? httpAttributes(request) : rpcAttributes(rpc);
    const startTime = from === undefined ? undefined : { startTime: performance.timeOrigin + from };
    const span = spans.startSpan(name, { kind: SpanKind.CLIENT, attributes, ...startTime }, ctx);
    // Once the span is there, but for what the conventions ask to tell samplers: of what a span is started with, an SDK looks at each twice.
    if (rpc !== undefined && request.url !== undefined) span.setAttributes(serverAttributes(request.url));
    const remaining = ctx.remaining();
    if (remaining !== Infinity) span.setAttribute(ATTR.BUDGET, Math.floor(remaining));
    return new ClientSpan(trace.setSpan(ctx, span) as Context, span, rpc);
  }

  /** The head of the response is here. */
  response(status: number): void {
    // A call of a procedure has a code of its own, which comes later.
    if (this.#rpc === undefined) this.#span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
  }

  /** @param phase how far it had come */
  end({ endedBy, errorType }: CallEnd, phase: CallPhase): void {
    const span = this.#span;
    if (!span.isRecording()) return;
    span.setAttribute(ATTR.ENDED_BY, endedBy);
    if (endedBy !== "response") span.setAttribute(ATTR.PHASE, phase);
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
