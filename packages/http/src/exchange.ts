import { type CancelFunc, type Context, createKey, DeadlineExceeded, withValue } from "@throughline/context";

import type { EndedBy } from "./attributes.ts";
import { ClientDisconnected, ResponseSent } from "./errors.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { ServerSpan } from "./server-span.ts";

/** One for all: it is made for every request, and says the same each time. */
const RESPONSE_SENT = new ResponseSent();

const exchangeKey = createKey<Exchange>("exchange");

/** How a response ended, as the host saw it. */
export interface ResponseEnd {
  /** Whether it went out in full. */
  readonly isDelivered: boolean;
  /** Absent where no head went out: none is made up. */
  readonly status?: number | undefined;
  /** The route that matched, asked for where it is of use. */
  readonly route?: (() => string | undefined) | undefined;
}

/** One request being served, from its arrival to the end of its response. */
export class Exchange {
  /** What the request runs in. */
  readonly ctx: Context;
  /** What to answer instead of running any handler. */
  readonly refusal: Problem | undefined;
  readonly #cancel: CancelFunc | undefined;
  readonly #span: ServerSpan | undefined;
  #error: unknown;
  #isOver = false;

  constructor(ctx: Context, cancel?: CancelFunc, span?: ServerSpan, refusal?: Problem) {
    this.ctx = withValue(ctx, exchangeKey, this);
    this.#cancel = cancel;
    this.#span = span;
    this.refusal = refusal;
  }

  /** What to derive from further in: the context that is current there, unless ours has been lost on the way. */
  innermost(ctx: Context): Context {
    return ctx.value(exchangeKey) === this ? ctx : this.ctx;
  }

  /** Ends the context before the response is out. */
  cancel(cause: unknown): void {
    this.#cancel?.(cause);
  }

  /** Remembers why the response is what it is. The first error counts. */
  fail(error: unknown): void {
    this.#error ??= error;
  }

  /** The response is over. Ends the context and the span; a second call does nothing. */
  end({ isDelivered, status, route }: ResponseEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const endedBy = this.#endedBy(isDelivered, status);
    this.#cancel?.(isDelivered ? RESPONSE_SENT : (this.#error ?? new ClientDisconnected()));
    this.#span?.end({ endedBy, status, route, error: this.#error });
  }

  #endedBy(isDelivered: boolean, status: number | undefined): EndedBy {
    if (isDelivered && (status ?? 0) < 500) return "response";
    const problem = this.refusal ?? problemOf(this.#error);
    if (problem?.status === 504 && (status === 504 || !isDelivered)) return "deadline";
    // Whoever answers for a handler may have made another error of it.
    const hasExpired = this.ctx.err() instanceof DeadlineExceeded;
    if (hasExpired) return "deadline";
    if (isDelivered) return "response";
    return this.#error === undefined ? "client" : "error";
  }
}
