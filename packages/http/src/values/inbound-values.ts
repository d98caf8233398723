import { propagation } from "@opentelemetry/api";
import type { Context } from "@throughline/context";

import { InvalidHeader } from "../errors.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import { countRefusedValue } from "../telemetry/server-metrics.ts";
import { folded, foldedName, parseBaggage, withoutEntries } from "./baggage.ts";
import { declarations, type Declared, decode, encode } from "./declare.ts";
import type { Trust } from "./trust.ts";

/** Headers that were taken away from a request, by their name: what they say is nobody's word until it is verified. */
export type HeldBack = ReadonlyMap<string, string>;

/** What came of the values that a request brought. */
export interface InboundValues {
  /** The context with those that are taken. */
  readonly ctx: Context;
  readonly heldBack: HeldBack | undefined;
  /** A header of which there must be one, and were two. */
  readonly invalid: InvalidHeader | undefined;
}

/**
 * Takes the values that a request brings from whoever may set them, and takes all others away from it, in whatever way their headers are
 * written: a handler further in that reads the headers itself must not believe them either.
 */
export function receiveValues(ctx: Context, request: IncomingRequest, trust: Trust | undefined): InboundValues {
  const all = declarations();
  if (all.length === 0) return { ctx, heldBack: undefined, invalid: undefined };
  const isTrusted = trust?.(request.peer, request.headers) === true;
  const isTaken = ({ accept }: Declared): boolean => accept === "anyone" || (accept === "trusted" && isTrusted);

  const { headers } = request;
  const headerOf = new Map(all.filter(({ as }) => as === "header").map((each) => [each.name, each]));
  const heldBack = new Map<string, string>();
  let invalid: InvalidHeader | undefined;
  let bound = ctx;
  for (const name of headers.names()) {
    const known = headerOf.get(folded(name));
    if (known === undefined) continue;
    const value = headers.get(name)!;
    const isOnce = typeof value === "string" ? !value.includes(",") : value.length === 1;
    if (known.name === name && isTaken(known)) {
      if (isOnce) bound = bind(bound, known, String(value));
      else invalid ??= new InvalidHeader(name);
    } else {
      // One that is written otherwise is no value, but a try.
      if (known.name === name && known.accept === "verified") {
        if (isOnce) heldBack.set(name, String(value));
        else invalid ??= new InvalidHeader(name);
      } else {
        countRefusedValue(known.name, "untrusted");
      }
      request.remove(name);
    }
  }
  return {
    ctx: receiveBaggage(
      bound,
      request,
      all.filter(({ as }) => as === "baggage"),
      isTaken,
    ),
    heldBack,
    invalid,
  };
}

function receiveBaggage(
  ctx: Context,
  request: IncomingRequest,
  declared: readonly Declared[],
  isTaken: (declared: Declared) => boolean,
): Context {
  if (declared.length === 0) return ctx;
  const value = request.headers.get("baggage");
  const header = typeof value === "string" ? value : value?.join(",");
  const refused = new Set(declared.filter((each) => !isTaken(each)).map(({ name }) => name));
  if (header === undefined) return withoutExtracted(ctx, refused);
  const byName = new Map(declared.map((each) => [each.name, each]));
  let bound = ctx;
  const members = parseBaggage(header);
  for (const { name, value } of members) {
    const known = byName.get(name);
    if (known === undefined || !isTaken(known)) continue;
    // Of two, one may have been put there by somebody else.
    const isOnce = members.filter((each) => each.name === name).length === 1;
    if (isOnce) bound = bind(bound, known, value);
    else countRefusedValue(name, "invalid");
  }
  const found = header
    .split(",")
    .map(foldedName)
    .filter((name) => refused.has(name));
  for (const name of found) countRefusedValue(name, "untrusted");
  if (found.length > 0) {
    const rest = withoutEntries(header, refused);
    if (rest === undefined) request.remove("baggage");
    else request.replace("baggage", rest);
  }
  return withoutExtracted(bound, refused);
}

/** The same for what a propagator of OpenTelemetry's has read before us. */
function withoutExtracted(ctx: Context, refused: ReadonlySet<string>): Context {
  const baggage = propagation.getBaggage(ctx);
  const names = baggage?.getAllEntries().flatMap(([name]) => (refused.has(foldedName(name)) ? name : [])) ?? [];
  return names.length === 0 ? ctx : (propagation.setBaggage(ctx, baggage!.removeEntries(...names)) as Context);
}

/** The context with the value, if it is one. */
function bind(ctx: Context, declared: Declared, written: string): Context {
  const value = decode(declared, written);
  if (value !== undefined && isWritable(declared, value)) return ctx.setValue(declared.key, value);
  countRefusedValue(declared.name, "invalid");
  return ctx;
}

/** What cannot be sent on would have every call from here fail. */
function isWritable(declared: Declared, value: unknown): boolean {
  try {
    encode(declared, value);
    return true;
  } catch {
    return false;
  }
}
