import { now } from "./clock.ts";
import type { Context } from "./context.ts";
import type { DeadlineDetails } from "./errors.ts";
import type { Scope } from "./scope.ts";

/** Whether the context has a deadline. Unlike `remaining()` it does not read the clock. */
export function hasDeadline(ctx: Context): boolean {
  return ctx.scope.deadline !== undefined;
}

/** The budget, elapsed time and source of the effective deadline; `undefined` without a deadline. */
export function deadlineDetails(ctx: Context): DeadlineDetails | undefined {
  const { deadline } = ctx.scope;
  if (deadline === undefined) return undefined;
  const { at, budget, source } = deadline;
  return { budget, elapsed: now() - (at - budget), source };
}

/** Whether the context can end: `background`, and contexts that only bind values to it, cannot. */
export function canEnd(ctx: Context): boolean {
  return ctx.scope.parent !== undefined;
}

/** Whether `ctx` ends when `other` does: `ctx` was derived from it, without `withoutCancel` in between. */
export function isAttached(ctx: Context, other: Context): boolean {
  let scope: Scope | undefined = ctx.scope;
  while (scope !== undefined && scope !== other.scope) scope = scope.parent;
  return scope !== undefined;
}
