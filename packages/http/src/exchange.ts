import { type CancelFunc, type Context, DeadlineExceeded } from "@throughline/context";

import { ClientDisconnected, ResponseSent } from "./errors.ts";
import type { Problem } from "./problem.ts";
import type { ServerSpan } from "./server-span.ts";

/** One for all: it is made for every request, and says the same each time. */
const RESPONSE_SENT = new ResponseSent();

/**
 * One request being served, from its arrival to the end of its response. The host calls one of `finish`, `disconnect`,
 * once; a later call does nothing. Either ends the context.
 */
export class Exchange {
  /** What the request runs in. */
  readonly ctx: Context;
  /** What to answer instead of running any handler. */
  readonly refusal: Problem | undefined;
  readonly #cancel: CancelFunc | undefined;
  #span: ServerSpan | undefined;
  #error: unknown;

  constructor(ctx: Context, cancel?: CancelFunc, span?: ServerSpan, refusal?: Problem) {
    this.ctx = ctx;
    this.refusal = refusal;
    this.#cancel = cancel;
    this.#span = span;
  }

  /** Remembers why the response will be what it will be. */
  fail(error: unknown): void {
    this.#error ??= error;
  }

  /** The response is out, in full. */
  finish(status: number, route?: string): void {
    const byDeadline = status === 504 && (this.refusal !== undefined || this.ctx.err() instanceof DeadlineExceeded);
    const endedBy = byDeadline ? "deadline" : "response";
    this.#cancel?.(RESPONSE_SENT);
    this.#end({ endedBy, status, route, error: this.#error });
  }

  /** The client is gone, and the response has not reached it in full. */
  disconnect(route?: string): void {
    this.#cancel?.(new ClientDisconnected());
    const endedBy = this.ctx.err() instanceof DeadlineExceeded ? "deadline" : "client";
    this.#end({ endedBy, route });
  }

  /** The client is there, but gets no response that is whole: the handler failed midway. */
  abort(error: unknown, route?: string): void {
    this.#cancel?.(error);
    this.#end({ endedBy: "error", status: 500, route, error });
  }

  #end(outcome: Parameters<ServerSpan["end"]>[0]): void {
    const span = this.#span;
    this.#span = undefined;
    span?.end(outcome);
  }
}
