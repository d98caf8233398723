import type { Context } from "@throughline/context";
import { describeValue, oneOf, refuseUnknown } from "@throughline/context/internal";

import { withEntries, withoutEntries } from "../wire/baggage.ts";
import { propagatedValues, encode } from "../wire/propagated-values.ts";
import { originFilter } from "./origins.ts";

/** Where something of a context goes: everywhere, to the client's `origins`, or nowhere. */
export type Reach = "everywhere" | "origins" | "nowhere";

/** What of a context goes where. */
export interface SendOptions {
  /** @default "everywhere" */
  trace?: Reach;
  /** @default "everywhere" */
  deadline?: Reach;
  /** @default "everywhere" */
  criticality?: Reach;
  /** PropagatedValue values, and OpenTelemetry's baggage. @default "origins" */
  values?: "origins" | "nowhere";
  /** Tokens that say who a request is for. @default "origins" */
  identity?: "origins" | "nowhere";
}

/** What may go to an address. */
export interface Allowed {
  readonly trace: boolean;
  readonly deadline: boolean;
  readonly criticality: boolean;
  readonly values: boolean;
  readonly identity: boolean;
}

/** Decides for each address that is about to be called, each redirect's too. */
export type OutboundPolicy = (url: URL | undefined) => Allowed;

const KINDS = ["trace", "deadline", "criticality", "values", "identity"] as const;

/**
 * @param origins that a client calls its own: see {@link originFilter}
 * @throws TypeError if an option is wrong
 */
export function outboundPolicy(origins: readonly string[], send: SendOptions, action: string): OutboundPolicy {
  const isOwn = originFilter(origins, action);
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
  const reach = { trace, deadline, criticality, values, identity };
  for (const kind of KINDS) {
    // What is somebody's does not go to strangers.
    const known: readonly Reach[] =
      kind === "values" || kind === "identity" ? ["origins", "nowhere"] : ["everywhere", "origins", "nowhere"];
    oneOf(`send.${kind}`, reach[kind], known, action);
  }
  const [own, foreign] = [allowed(reach, true), allowed(reach, false)];
  return (url) => (url !== undefined && isOwn(url) ? own : foreign);
}

function allowed(reach: Required<SendOptions>, isOwn: boolean): Allowed {
  const may = (to: Reach): boolean => to === "everywhere" || (to === "origins" && isOwn);
  return {
    trace: may(reach.trace),
    deadline: may(reach.deadline),
    criticality: may(reach.criticality),
    values: may(reach.values),
    identity: may(reach.identity),
  };
}

/** The headers that the context's declared values go in, to where these may go. */
export function valueHeaders(
  ctx: Context,
  to: Allowed,
  baggage: string | undefined,
  isPropagated: boolean,
): readonly [string, string][] {
  const known = propagatedValues();
  if (known.length === 0 && baggage === undefined) return NOTHING;
  const headers: [string, string][] = [];
  const entries: [string, string][] = [];
  for (const declared of known) {
    if (declared.to === "never" || !to[declared.kind]) continue;
    const written = encode(declared, ctx.getValue(declared.key));
    if (written !== undefined) (declared.as === "header" ? headers : entries).push([declared.name, written]);
  }
  // What was declared is said by the context alone.
  const others =
    baggage === undefined ? undefined : withoutEntries(baggage, new Set(known.map(({ folded }) => folded)));
  if (entries.length > 0) headers.push(["baggage", withEntries(others, entries)]);
  else if (others !== undefined && isPropagated) headers.push(["baggage", others]);
  return headers;
}

const NOTHING: readonly [string, string][] = [];
