import { type Context, createKey, current, withValue } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

/** The priority of a request during overload: the least critical requests are shed first. */
export type Criticality = "critical" | "default" | "sheddable";

/** Least critical first. */
export const CRITICALITIES: readonly Criticality[] = ["sheddable", "default", "critical"];

const criticalityKey = createKey<Criticality>("criticality");

/** Returns the criticality of the request: its caller's or that of `withCriticality`, else `"default"`. */
export function criticality(ctx: Context = current()): Criticality {
  return ctx.value(criticalityKey) ?? "default";
}

/**
 * Derives a context whose outbound calls have this criticality, and that waits with it in a `Semaphore` and for a
 * connection of a driver. It does not change the priority of the current request in this service.
 *
 * @throws TypeError if `value` is not a criticality
 */
export function withCriticality(ctx: Context, value: Criticality): Context {
  if (!CRITICALITIES.includes(value)) {
    throw new TypeError(
      `Cannot bind a criticality: 'value' must be "critical", "default" or "sheddable"; ` +
        `received ${describeValue(value)}`,
    );
  }
  return withValue(ctx, criticalityKey, value);
}

/** A more critical value has a higher rank. */
export function rank(value: Criticality): number {
  return CRITICALITIES.indexOf(value);
}
