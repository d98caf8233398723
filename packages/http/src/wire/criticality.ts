import { type Context, createKey, current, withValue } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

import { type RequestHeaders, single } from "./headers.ts";

/** How much it matters that a request is served, when not all can be: the least critical are shed first. */
export type Criticality = "critical" | "default" | "sheddable";

/** Whose word on criticality is taken: of trusted peers, and of everybody who asks for less than the default; of everybody; or of nobody. */
export type AcceptCriticality = "lower" | "any" | "none";

export const CRITICALITY_HEADER = "throughline-criticality";

/** The least critical first. */
const ORDER: readonly Criticality[] = ["sheddable", "default", "critical"];

const criticalityKey = createKey<Criticality>("criticality");

/** How critical the request is that the context belongs to; `"default"` unless its caller, or `withCriticality`, says otherwise. */
export function criticality(ctx: Context = current()): Criticality {
  return ctx.value(criticalityKey) ?? "default";
}

/**
 * A context whose calls to other services say that they are this critical. What is already more critical than others here does not change.
 *
 * @throws TypeError if it is none of the three
 */
export function withCriticality(ctx: Context, value: Criticality): Context {
  if (!ORDER.includes(value)) {
    throw new TypeError(
      `Cannot bind a criticality: it must be "critical", "default" or "sheddable"; received ${describeValue(value)}`,
    );
  }
  return withValue(ctx, criticalityKey, value);
}

/**
 * The criticality that a request asks for, as far as its peer may. A value that is none of the three is not accepted: it may be of a newer
 * version.
 */
export function inboundCriticality(
  headers: RequestHeaders,
  accept: AcceptCriticality,
  isTrusted: () => boolean,
): Criticality | undefined {
  if (accept === "none") return undefined;
  const value = single(headers, CRITICALITY_HEADER) as Criticality | undefined;
  if (value === undefined || !ORDER.includes(value)) return undefined;
  return accept === "any" || rank(value) < rank("default") || isTrusted() ? value : undefined;
}

/** Greater for what is more critical. */
export function rank(value: Criticality): number {
  return ORDER.indexOf(value);
}
