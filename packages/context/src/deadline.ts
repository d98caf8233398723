import type { Context as OtelContext } from "@opentelemetry/api";

import { type CancelFunc, cancellable } from "./cancel.ts";
import { now } from "./clock.ts";
import type { Context } from "./context.ts";
import { describe } from "./describe.ts";
import { type Duration, remainingTime } from "./duration.ts";
import { Limit } from "./limit.ts";
import { refuseUnknown } from "./options.ts";
import { parentOf } from "./parent.ts";
import { Scope } from "./scope.ts";

export interface DeadlineOptions {
  /** What `ctx.cause()` gives if this deadline ends the context, instead of the error itself. Not used by a cancel. */
  cause?: unknown;
  /** Who sets the deadline, for the error that tells whose clock fired: a header, an option. */
  source?: string;
}

/**
 * A context that ends once `timeout` has passed (Go: `WithTimeout` and `WithTimeoutCause`). A deadline of the parent that
 * is not later stays in force. With 0 or a negative number the context has ended already: `deadline - now` is negative when it matters
 * most. A deadline alone keeps no process alive.
 *
 * @throws RangeError if the timeout is NaN, infinite, beyond a Date's range, or a string without a known unit
 */
export function withTimeout(parent: OtelContext, timeout: Duration, options?: DeadlineOptions): [Context, CancelFunc] {
  const up = parentOf(parent);
  const budget = remainingTime(timeout, "derive a context");
  return limited(up, now() + budget, budget, options, undefined);
}

/**
 * A context that ends at a point of time on the wall clock (Go: `WithDeadline` and `WithDeadlineCause`): what remains is
 * read once, now; later jumps of the wall clock change nothing. If the time has passed, the context has ended already.
 *
 * @param at a Date, or milliseconds since the epoch
 * @throws RangeError if it is not a valid point of time
 */
export function withDeadline(parent: OtelContext, at: Date | number, options?: DeadlineOptions): [Context, CancelFunc] {
  const up = parentOf(parent);
  const epoch = at instanceof Date ? at.getTime() : at;
  if (typeof epoch !== "number") throw new TypeError(wanted(at));
  if (!(Math.abs(epoch) <= 8.64e15)) throw new RangeError(wanted(at));
  const budget = Math.max(0, epoch - Date.now());
  return limited(up, now() + budget, budget, options, epoch);
}

function wanted(at: unknown): string {
  return `Cannot derive a context: 'at' must be a valid Date or milliseconds since the epoch: current value is ${describe(at)}`;
}

function optionsOf(options: DeadlineOptions | undefined): DeadlineOptions {
  if (options === undefined) return NONE;
  if (typeof options !== "object" || options === null || options instanceof Error) {
    throw new TypeError(
      `Cannot derive a context: a cause is given as { cause }: current value is ${describe(options)}`,
    );
  }
  // To set the others apart would take longer than all the rest.
  for (const name in options) {
    if (name !== "cause" && name !== "source") refuseUnknown({ [name]: undefined }, "derive a context");
  }
  return options;
}

const NONE: DeadlineOptions = {};

function limited(
  up: Context,
  at: number,
  budget: number,
  options: DeadlineOptions | undefined,
  epoch: number | undefined,
): [Context, CancelFunc] {
  const { cause, source } = optionsOf(options);
  const above = up.scope.limit;
  const limit = above !== undefined && above.at <= at ? above : new Limit(at, budget, cause, source, epoch);
  const scope = new Scope(up.scope, limit);
  // The parent's end comes before that of a child whose time is up when it is made (Go, 1F.46).
  if (budget === 0) scope.ended = up.scope.poll(at) ?? scope.poll(at);
  return cancellable(up, scope);
}
