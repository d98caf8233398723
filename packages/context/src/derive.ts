import type { Context as OtelContext } from "@opentelemetry/api";

import { parentOf } from "./adopt.ts";
import { now } from "./clock.ts";
import type { Context } from "./context.ts";
import { Deadline } from "./deadline.ts";
import { describeValue } from "./describe-value.ts";
import { type Duration, remainingTime } from "./duration.ts";
import type { Key } from "./key.ts";
import { refuseUnknown } from "./options.ts";
import { Scope } from "./scope.ts";

/**
 * Ends its context, and all that were derived from it, before it returns. The first end counts: a second call, or one after the deadline, does nothing.
 * Whoever derives a context calls its cancel when the work is done: `using _ = cancel` does so at the end of the block, as Go's `defer cancel()`.
 *
 * @param cause why, for `ctx.cause()` and `ctx.err().cause`
 */
export type CancelFunc = ((cause?: unknown) => void) & Disposable;

/** A context that can be canceled on its own (Go: `WithCancel` and `WithCancelCause`). If the parent has ended, so has it. */
export function withCancel(parent: OtelContext): [Context, CancelFunc] {
  const up = parentOf(parent);
  return cancelable(up, new Scope(up.scope, up.scope.deadline));
}

export interface DeadlineOptions {
  /** Returned by `ctx.cause()` if this deadline ends the context, instead of the error itself. A cancel does not use it. */
  cause?: unknown;
  /** Who sets the deadline, such as a header or an option. The error reports it. */
  source?: string;
}

/**
 * A context that ends once `timeout` has passed on the monotonic clock (Go: `WithTimeout` and `WithTimeoutCause`). An earlier deadline of the parent stays in
 * force. With 0 or a negative number the context has ended already, as in Go: `deadline - now` is negative when it matters most. A deadline alone
 * keeps no process alive.
 *
 * @throws RangeError if the timeout is NaN, infinite, beyond a Date's range, or a string without a known unit
 */
export function withTimeout(parent: OtelContext, timeout: Duration, options?: DeadlineOptions): [Context, CancelFunc] {
  const up = parentOf(parent);
  const budget = remainingTime(timeout, "derive a context");
  return deriveWithDeadline(up, now() + budget, budget, options, undefined);
}

/**
 * A context that ends at a point of time on the wall clock (Go: `WithDeadline` and `WithDeadlineCause`). The remaining time is computed once, at this call:
 * later changes of the wall clock do not move the deadline. If the time has passed, the context has ended already.
 *
 * @param at a Date, or milliseconds since the epoch
 * @throws TypeError, RangeError if it is not a valid point of time
 */
export function withDeadline(parent: OtelContext, at: Date | number, options?: DeadlineOptions): [Context, CancelFunc] {
  const up = parentOf(parent);
  const epoch = at instanceof Date ? at.getTime() : at;
  if (typeof epoch !== "number") throw new TypeError(invalidTime(at));
  if (!(Math.abs(epoch) <= 8.64e15)) throw new RangeError(invalidTime(at));
  const budget = Math.max(0, epoch - Date.now());
  return deriveWithDeadline(up, now() + budget, budget, options, epoch);
}

/**
 * A context that ends with its parent or when the signal aborts, whichever is first. The signal's reason becomes the cause; a reason that is the error of a
 * context stays the same object. While anything listens to the context there is one listener on the signal, shared by all contexts that were derived
 * from it; it is removed when the last of them ends.
 *
 * @throws TypeError if `signal` is not an AbortSignal
 */
export function withSignal(parent: OtelContext, signal: AbortSignal): [Context, CancelFunc] {
  const up = parentOf(parent);
  if (!(signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot derive a context: 'signal' must be an AbortSignal; received ${describeValue(signal)}`);
  }
  const scope = new Scope(up.scope, up.scope.deadline, signal);
  if (signal.aborted) scope.poll();
  return cancelable(up, scope);
}

/**
 * A context with the parent's values, including its trace, without its cancellation and deadline: for work that goes on after the response. Give it a
 * deadline of its own (Go: `WithoutCancel`).
 */
export function withoutCancel(parent: OtelContext): Context {
  return parentOf(parent).derive(new Scope(), undefined, undefined);
}

/**
 * A context in which `key` has `value` (Go: `WithValue`). Values are for what crosses the boundaries of a request, such as its principal, not for optional
 * arguments of functions.
 *
 * @throws TypeError if the key was not made by `createKey`
 * @throws TypeError, RangeError if the key's values are propagated and this one cannot be encoded
 */
export function withValue<T>(parent: OtelContext, key: Key<T>, value: T): Context {
  const up = parentOf(parent);
  if (typeof key !== "symbol") {
    throw new TypeError(`Cannot bind a value: 'key' must be made by createKey(); received ${describeValue(key)}`);
  }
  if (checks.size > 0) checks.get(key)?.(value as never);
  return up.derive(up.scope, key, value);
}

/** Checks for the values of some keys. One map for all installed copies of this package. */
const CHECKS = Symbol.for("@throughline/context/checks.1");
const shared = globalThis as { [CHECKS]?: Map<symbol, (value: never) => void> };
const checks = (shared[CHECKS] ??= new Map());

/** Checks each value that `withValue` binds to the key: `check` throws for one that is not valid. */
export function checkValues<T>(key: Key<T>, check: (value: T) => void): void {
  checks.set(key, check);
}

function deriveWithDeadline(
  up: Context,
  at: number,
  budget: number,
  options: DeadlineOptions | undefined,
  epoch: number | undefined,
): [Context, CancelFunc] {
  const { cause, source } = checkedOptions(options);
  const above = up.scope.deadline;
  const deadline = above !== undefined && above.at <= at ? above : new Deadline(at, budget, cause, source, epoch);
  const scope = new Scope(up.scope, deadline);
  // An end of the parent comes before that of a child whose time is up when it is created, as in Go.
  if (budget === 0) scope.ended = up.scope.poll(at) ?? scope.poll(at);
  return cancelable(up, scope);
}

const NO_OPTIONS: DeadlineOptions = {};

function checkedOptions(options: DeadlineOptions | undefined): DeadlineOptions {
  if (options === undefined) return NO_OPTIONS;
  if (typeof options !== "object" || options === null || options instanceof Error) {
    throw new TypeError(
      `Cannot derive a context: a cause must be given as { cause }; received ${describeValue(options)}`,
    );
  }
  // Rest destructuring would take longer than all the rest.
  for (const name in options) {
    if (name !== "cause" && name !== "source") refuseUnknown({ [name]: undefined }, "derive a context");
  }
  return options;
}

function invalidTime(at: unknown): string {
  return `Cannot derive a context: 'at' must be a valid Date or milliseconds since the epoch; received ${describeValue(at)}`;
}

function cancelable(up: Context, scope: Scope): [Context, CancelFunc] {
  const cancel = ((cause?: unknown) => scope.cancel(cause)) as CancelFunc;
  cancel[Symbol.dispose] = dispose;
  return [up.derive(scope, undefined, undefined), cancel];
}

function dispose(this: CancelFunc): void {
  this();
}
