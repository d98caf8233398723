import { type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_REQUEST_RESEND_COUNT,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
} from "@opentelemetry/semantic-conventions";
import { type Context, DeadlineExceeded } from "@throughline/context";

import { ATTR, DEADLINE_EXCEEDED, type EndedBy, knownMethod, redactUrl } from "./attributes.ts";
import type { CallPhase } from "./call-details.ts";
import { causes } from "./causes.ts";
import { tracer } from "./tracer.ts";

/** The CLIENT span of one attempt. It ends once: with the body, or with what kept it from arriving. */
export class ClientSpan {
  readonly ctx: Context;
  readonly #span: Span;

  private constructor(ctx: Context, span: Span) {
    this.ctx = ctx;
    this.#span = span;
  }

  /** @returns `undefined` where nobody traces */
  static start(ctx: Context, method: string, url: URL, attempt: number): ClientSpan | undefined {
    const spans = tracer();
    if (spans === undefined) return undefined;
    const known = knownMethod(method);
    const remaining = ctx.remaining();
    const attributes = {
      [ATTR_HTTP_REQUEST_METHOD]: known,
      [ATTR_URL_FULL]: redactUrl(url),
      [ATTR_SERVER_ADDRESS]: url.hostname,
      [ATTR_SERVER_PORT]: url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
      [ATTR_HTTP_REQUEST_RESEND_COUNT]: attempt > 1 ? attempt - 1 : undefined,
      [ATTR.BUDGET]: remaining === Infinity ? undefined : Math.floor(remaining),
    };
    const span = spans.startSpan(known, { kind: SpanKind.CLIENT, attributes }, ctx);
    return new ClientSpan(trace.setSpan(ctx, span) as Context, span);
  }

  /** The head of the response is here. */
  response(status: number): void {
    this.#span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (status < 400) return;
    this.#span.setAttribute(ATTR_ERROR_TYPE, String(status));
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  /**
   * The exchange is over: with an error, unless the body is read or nobody wants it.
   *
   * @param isGivenUp whether the caller's own signal has ended it: that somebody wanted, and is no error
   * @param phase how far it had come
   */
  end(error: unknown, isGivenUp: boolean, phase: CallPhase): void {
    const span = this.#span;
    if (!span.isRecording()) return;
    const endedBy = this.#endedBy(error, isGivenUp);
    span.setAttribute(ATTR.ENDED_BY, endedBy);
    if (endedBy !== "response") span.setAttribute(ATTR.PHASE, phase);
    if (endedBy === "deadline" || endedBy === "error") {
      span.setAttribute(ATTR_ERROR_TYPE, endedBy === "deadline" ? DEADLINE_EXCEEDED : errorType(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }

  #endedBy(error: unknown, isGivenUp: boolean): EndedBy {
    if (error === undefined) return "response";
    if (error instanceof DeadlineExceeded) return "deadline";
    const name = error instanceof Error ? error.name : undefined;
    return name === "AbortError" || (isGivenUp && name !== "TimeoutError") ? "cancel" : "error";
  }
}

/** The most telling name that has few values, which is the innermost: clients wrap what happened in errors that say nothing. */
function errorType(error: unknown): string {
  let type = error instanceof Error ? error.name : "_OTHER";
  for (const each of causes(error)) {
    const { code } = each as NodeJS.ErrnoException;
    if (typeof code === "string") type = code;
  }
  return type;
}
