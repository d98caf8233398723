import { now } from "./clock.ts";
import type { Context } from "./context.ts";
import type { DeadlineDetails } from "./errors.ts";

/** What the deadline in force has granted, how much of it has passed by now, and who set it; `undefined` without a deadline. */
export function deadlineDetails(ctx: Context): DeadlineDetails | undefined {
  const limit = ctx.scope.limit;
  if (limit === undefined) return undefined;
  return { budget: limit.budget, elapsed: now() - (limit.at - limit.budget), source: limit.source };
}

/** Whether there is a deadline. To ask `remaining()` would read the clock. */
export function hasDeadline(ctx: Context): boolean {
  return ctx.scope.limit !== undefined;
}
