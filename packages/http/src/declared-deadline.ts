import { type Context, createKey, isAttached } from "@throughline/context";

import type { Budget } from "./inbound-deadline.ts";

/** A deadline that is passed on, but ends nothing here. */
interface Declared {
  /** On the monotonic clock. */
  readonly at: number;
  /** The request's context: what was detached from it has no part in its deadline. */
  readonly owner: Context;
}

const declaredKey = createKey<Declared>("declared deadline");

/** The context with a deadline that only other services are told of. */
export function declareDeadline(owner: Context, budget: Budget | undefined): Context {
  if (budget === undefined || budget.ms === Infinity) return owner;
  return owner.setValue(declaredKey, { at: performance.now() + budget.ms, owner });
}

/** Milliseconds until a deadline that was only declared; may be below 0. `Infinity` where there is none. */
export function declaredRemaining(ctx: Context): number {
  const declared = ctx.value(declaredKey);
  return declared !== undefined && isAttached(ctx, declared.owner) ? declared.at - performance.now() : Infinity;
}
