import { type Context, createKey, current, withValue } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

import { type RequestHeaders, single } from "./headers.ts";

/** The priority of a request during overload: the least critical requests are shed first. */
export type Criticality = "critical" | "default" | "sheddable";

/**
 * Which inbound criticality a server accepts. `"lower"`: every value of a trusted peer, and values below the default of
 * any peer. `"any"`: every value of any peer. `"none"`: no value.
 */
export type AcceptCriticality = "lower" | "any" | "none";

/**
 * The importance of a request: `critical`, `default` or `sheddable`. Under overload the least important are rejected
 * first.
 */
export const CRITICALITY_HEADER = "throughline-criticality";

/** Least critical first. */
const ASCENDING: readonly Criticality[] = ["sheddable", "default", "critical"];

const criticalityKey = createKey<Criticality>("criticality");

/** Returns the criticality of the request: its caller's or that of `withCriticality`, else `"default"`. */
export function criticality(ctx: Context = current()): Criticality {
  return ctx.value(criticalityKey) ?? "default";
}

/**
 * Derives a context whose outbound calls have this criticality. It does not change the priority of the current request
 * in this service.
 *
 * @throws TypeError if `value` is not a criticality
 */
export function withCriticality(ctx: Context, value: Criticality): Context {
  if (!ASCENDING.includes(value)) {
    throw new TypeError(
      `Cannot bind a criticality: 'value' must be "critical", "default" or "sheddable"; ` +
        `received ${describeValue(value)}`,
    );
  }
  return withValue(ctx, criticalityKey, value);
}

/**
 * Returns the criticality in the headers if the peer may set it. Ignores unknown values: a newer version may send them.
 */
export function inboundCriticality(
  headers: RequestHeaders,
  accept: AcceptCriticality,
  isTrusted: () => boolean,
): Criticality | undefined {
  if (accept === "none") return undefined;
  const value = single(headers, CRITICALITY_HEADER) as Criticality | undefined;
  if (value === undefined || !ASCENDING.includes(value)) return undefined;
  return accept === "any" || rank(value) < rank("default") || isTrusted() ? value : undefined;
}

/** A more critical value has a higher rank. */
export function rank(value: Criticality): number {
  return ASCENDING.indexOf(value);
}
