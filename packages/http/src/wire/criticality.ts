import { CRITICALITIES, type Criticality, rank } from "@throughline/resilience/internal";

import { type RequestHeaders, single } from "./headers.ts";

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
  if (value === undefined || !CRITICALITIES.includes(value)) return undefined;
  return accept === "any" || rank(value) < rank("default") || isTrusted() ? value : undefined;
}
