import type { Context } from "@throughline/context";
import { describeValue, oneOf, refuseUnknown } from "@throughline/context/internal";

import { withEntries, withoutEntries } from "../wire/baggage.ts";
import { propagatedValues, encode } from "../wire/propagated-values.ts";
import { originFilter } from "./origins.ts";

/** The origins that receive a part of the context: every origin, those of the option `origins`, or none. */
export type Destination = "everywhere" | "origins" | "nowhere";

/** Which parts of a context are sent to which origins. */
export interface SendOptions {
  /** @default "everywhere" */
  trace?: Destination;
  /** @default "everywhere" */
  deadline?: Destination;
  /** @default "everywhere" */
  criticality?: Destination;
  /** Propagated values and OpenTelemetry baggage. @default "origins" */
  values?: "origins" | "nowhere";
  /** Tokens that prove for whom a request is made. @default "origins" */
  identity?: "origins" | "nowhere";
}

/** Whether each part of a context may be sent to a URL. */
export interface SendPermissions {
  readonly trace: boolean;
  readonly deadline: boolean;
  readonly criticality: boolean;
  readonly values: boolean;
  readonly identity: boolean;
}

/** Returns the permissions for a URL. It is called for each request, and for each redirect. */
export type OutboundPolicy = (url: URL | undefined) => SendPermissions;

const PARTS = ["trace", "deadline", "criticality", "values", "identity"] as const;

/**
 * @param origins see {@link originFilter}
 * @throws TypeError if an option is invalid
 */
export function outboundPolicy(origins: readonly string[], send: SendOptions, action: string): OutboundPolicy {
  const isAllowed = originFilter(origins, action);
  if (typeof send !== "object" || send === null) {
    throw new TypeError(`Cannot ${action}: 'send' must be an object; received ${describeValue(send)}`);
  }
  const {
    trace = "everywhere",
    deadline = "everywhere",
    criticality = "everywhere",
    values = "origins",
    identity = "origins",
    ...others
  } = send;
  refuseUnknown(others, action);
  const destinations = { trace, deadline, criticality, values, identity };
  for (const part of PARTS) {
    // Values and identity may be confidential, so they cannot be sent everywhere.
    const choices: readonly Destination[] =
      part === "values" || part === "identity" ? ["origins", "nowhere"] : ["everywhere", "origins", "nowhere"];
    oneOf(`send.${part}`, destinations[part], choices, action);
  }
  const [toAllowed, toOthers] = [permissions(destinations, true), permissions(destinations, false)];
  return (url) => (url !== undefined && isAllowed(url) ? toAllowed : toOthers);
}

function permissions(destinations: Required<SendOptions>, isAllowedOrigin: boolean): SendPermissions {
  const may = (to: Destination): boolean => to === "everywhere" || (to === "origins" && isAllowedOrigin);
  return {
    trace: may(destinations.trace),
    deadline: may(destinations.deadline),
    criticality: may(destinations.criticality),
    values: may(destinations.values),
    identity: may(destinations.identity),
  };
}

/**
 * Returns the headers of the context's propagated values, as far as they may be sent.
 *
 * @param baggage a `baggage` header to add the values to
 * @param isPropagated whether a propagator wrote that header; else the caller has set it on the request already
 */
export function valueHeaders(
  ctx: Context,
  permitted: SendPermissions,
  baggage: string | undefined,
  isPropagated: boolean,
): readonly [string, string][] {
  const all = propagatedValues();
  if (all.length === 0 && baggage === undefined) return NO_HEADERS;
  const headers: [string, string][] = [];
  const entries: [string, string][] = [];
  for (const value of all) {
    if (value.to === "never" || !permitted[value.kind]) continue;
    const encoded = encode(value, ctx.getValue(value.key));
    if (encoded !== undefined) (value.as === "header" ? headers : entries).push([value.name, encoded]);
  }
  // Entries with the name of a propagated value come only from the context.
  const others = baggage === undefined ? undefined : withoutEntries(baggage, new Set(all.map(({ folded }) => folded)));
  if (entries.length > 0) headers.push(["baggage", withEntries(others, entries)]);
  else if (others !== undefined && isPropagated) headers.push(["baggage", others]);
  return headers;
}

const NO_HEADERS: readonly [string, string][] = [];
