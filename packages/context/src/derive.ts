import type { Context as OtelContext } from "@opentelemetry/api";

import { now } from "./clock.ts";
import { type Context, parentOf } from "./context.ts";
import { Deadline } from "./deadline.ts";
import { describeValue } from "./describe-value.ts";
import { type Duration, remainingTime } from "./duration.ts";
import type { Key } from "./key.ts";
import { refuseUnknown } from "./options.ts";
import { Scope } from "./scope.ts";

/**
 * Ends the context, and all contexts derived from it, before it returns. A second call, or a call after the deadline,
 * does nothing. The code that derives a context must call its cancel function when the work is done: `using _ = cancel`
 * does so at the end of the block, like Go's `defer cancel()`.
 *
 * @param cause the reason, for `ctx.cause()` and `ctx.err().cause`
 */
export type CancelFunc = ((cause?: unknown) => void) & Disposable;

/**
 * Derives a context that can be canceled on its own (Go: `WithCancel` and `WithCancelCause`). If the parent has ended,
 * the context has ended too.
 */
export function withCancel(parent: OtelContext): [Context, CancelFunc] {
  const context = parentOf(parent);
  return cancelable(context, new Scope(context.scope, context.scope.deadline));
}

export interface DeadlineOptions {
  /**
   * The value of `ctx.cause()` if this deadline ends the context. Without it the cause is the error itself. A cancel
   * does not use it.
   */
  cause?: unknown;
  /** What sets the deadline, such as a header or an option, for the error message. */
  source?: string;
}

/**
 * Derives a context that ends when `timeout` has passed on the monotonic clock (Go: `WithTimeout` and
 * `WithTimeoutCause`). An earlier deadline of the parent stays in force. With 0 or a negative number, such as a
 * computed `deadline - now`, the context has already ended, as in Go. A deadline alone does not keep the process alive.
 *
 * @throws RangeError if the timeout is NaN, infinite, beyond a Date's range, or a string without a known unit
 */
export function withTimeout(parent: OtelContext, timeout: Duration, options?: DeadlineOptions): [Context, CancelFunc] {
  const context = parentOf(parent);
  const budget = remainingTime(timeout, "derive a context");
  return deriveWithDeadline(context, now() + budget, budget, options, undefined);
}

/**
 * Derives a context that ends at a time on the wall clock (Go: `WithDeadline` and `WithDeadlineCause`). The remaining
 * time is computed once, at this call: later changes of the wall clock do not move the deadline. If the time has
 * passed, the context has already ended.
 *
 * @param at a Date, or milliseconds since the epoch
 * @throws TypeError, RangeError if it is not a valid time
 */
export function withDeadline(parent: OtelContext, at: Date | number, options?: DeadlineOptions): [Context, CancelFunc] {
  const context = parentOf(parent);
  const epoch = at instanceof Date ? at.getTime() : at;
  if (typeof epoch !== "number") throw new TypeError(invalidTime(at));
  if (!(Math.abs(epoch) <= 8.64e15)) throw new RangeError(invalidTime(at));
  const budget = Math.max(0, epoch - Date.now());
  return deriveWithDeadline(context, now() + budget, budget, options, epoch);
}

/**
 * Derives a context that ends with its parent or when the signal aborts, whichever is first. The signal's reason
 * becomes the cause; if it is the error of another context, it becomes the error. While anything listens to the context
 * there is one listener on the signal, which all contexts of this signal share; it is removed when the last of them
 * ends.
 *
 * @throws TypeError if `signal` is not an AbortSignal
 */
export function withSignal(parent: OtelContext, signal: AbortSignal): [Context, CancelFunc] {
  const context = parentOf(parent);
  if (!(signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot derive a context: 'signal' must be an AbortSignal; received ${describeValue(signal)}`);
  }
  const scope = new Scope(context.scope, context.scope.deadline, signal);
  if (signal.aborted) scope.poll();
  return cancelable(context, scope);
}

/**
 * Derives a context with the parent's values, including its trace, but without its cancellation and deadline (Go:
 * `WithoutCancel`). Use it for work that continues after the response, and give it a deadline of its own.
 */
export function withoutCancel(parent: OtelContext): Context {
  return parentOf(parent).derive(new Scope(), undefined, undefined);
}

/**
 * Derives a context in which `key` has `value` (Go: `WithValue`). Use values for request-scoped data that crosses API
 * boundaries, such as the principal, not for optional arguments of functions.
 *
 * @throws TypeError if the key was not made by `createKey`
 * @throws TypeError, RangeError if the key's values are propagated and this one cannot be encoded
 */
export function withValue<T>(parent: OtelContext, key: Key<T>, value: T): Context {
  const context = parentOf(parent);
  if (typeof key !== "symbol") {
    throw new TypeError(`Cannot bind a value: 'key' must be made by createKey(); received ${describeValue(key)}`);
  }
  if (checks.size > 0) checks.get(key)?.(value as never);
  return context.derive(context.scope, key, value);
}

/** The checks of propagated values, by key. All installed copies of this package share the map. */
const CHECKS = Symbol.for("@throughline/context/checks.1");
const shared = globalThis as { [CHECKS]?: Map<symbol, (value: never) => void> };
const checks = (shared[CHECKS] ??= new Map());

/** Registers a check for the values that `withValue` binds to the key. `check` throws if a value is invalid. */
export function checkValues<T>(key: Key<T>, check: (value: T) => void): void {
  checks.set(key, check);
}

function deriveWithDeadline(
  context: Context,
  at: number,
  budget: number,
  options: DeadlineOptions | undefined,
  epoch: number | undefined,
): [Context, CancelFunc] {
  const { cause, source } = checkedOptions(options);
  const above = context.scope.deadline;
  const deadline = above !== undefined && above.at <= at ? above : new Deadline(at, budget, cause, source, epoch);
  const scope = new Scope(context.scope, deadline);
  // If the parent has ended too, its end comes before that of a child with an expired deadline, as in Go.
  if (budget === 0) scope.ended = context.scope.poll(at) ?? scope.poll(at);
  return cancelable(context, scope);
}

const NO_OPTIONS: DeadlineOptions = {};

function checkedOptions(options: DeadlineOptions | undefined): DeadlineOptions {
  if (options === undefined) return NO_OPTIONS;
  if (typeof options !== "object" || options === null || options instanceof Error) {
    throw new TypeError(
      `Cannot derive a context: 'options' must be an object such as { cause }; received ${describeValue(options)}`,
    );
  }
  // Rest destructuring would take longer than the rest of `withTimeout`.
  for (const name in options) {
    if (name !== "cause" && name !== "source") refuseUnknown({ [name]: undefined }, "derive a context");
  }
  return options;
}

function invalidTime(at: unknown): string {
  const wanted = "'at' must be a valid Date or milliseconds since the epoch";
  return `Cannot derive a context: ${wanted}; received ${describeValue(at)}`;
}

function cancelable(context: Context, scope: Scope): [Context, CancelFunc] {
  const cancel = ((cause?: unknown) => scope.cancel(cause)) as CancelFunc;
  cancel[Symbol.dispose] = dispose;
  return [context.derive(scope, undefined, undefined), cancel];
}

function dispose(this: CancelFunc): void {
  this();
}
