import { propagation } from "@opentelemetry/api";
import type { Context } from "@throughline/context";

import type { IncomingRequest } from "../observe/server-request.ts";
import { countRefusedValue } from "../telemetry/server-metrics.ts";
import { folded, foldedName, onlyEntries, parseBaggage, withoutEntries } from "../wire/baggage.ts";
import { InvalidHeader } from "../wire/errors.ts";
import { propagatedValues, type PropagatedValue, decode, encode } from "../wire/propagated-values.ts";

/** Headers that were removed from a request until their content is verified, by name. */
export type UnverifiedHeaders = ReadonlyMap<string, string>;

/** From which peers W3C baggage becomes part of the context, and so is sent on. */
export type AcceptBaggage = "trusted" | "any";

/** What came of the values that a request brought. */
export interface InboundValues {
  /** The context with the accepted values. */
  readonly ctx: Context;
  readonly unverified: UnverifiedHeaders | undefined;
  /** A header of which there must be one, and were two. */
  readonly invalid: InvalidHeader | undefined;
}

/**
 * Binds the values that a request brings, as far as its peer may set them, and removes all others from it, in whatever way their names are
 * written: a handler that reads the headers itself must not believe them either.
 *
 * @param isTrusted whether the peer is; asked at most once
 */
export function receiveValues(
  ctx: Context,
  request: IncomingRequest,
  isTrusted: () => boolean,
  acceptBaggage: AcceptBaggage,
): InboundValues {
  const all = propagatedValues();
  const isAccepted = ({ accept }: PropagatedValue): boolean =>
    accept === "anyone" || (accept === "trusted" && isTrusted());
  // A trailer comes after the body, when nothing is verified any more.
  request.removeTrailers?.((name) => isTakenForHeader(folded(name), all));
  const received =
    all.length === 0
      ? { ctx, unverified: undefined, invalid: undefined }
      : receiveHeaders(ctx, request, all, isAccepted);
  return {
    ...received,
    ctx: receiveBaggage(
      received.ctx,
      request,
      all.filter(({ as }) => as === "baggage"),
      isAccepted,
      () => acceptBaggage === "any" || isTrusted(),
    ),
  };
}

/** Whether a folded name is that of baggage or of a declared header. */
function isTakenForHeader(name: string, all: readonly PropagatedValue[]): boolean {
  return name === "baggage" || all.some(({ as, folded }) => as === "header" && folded === name);
}

function receiveHeaders(
  ctx: Context,
  request: IncomingRequest,
  all: readonly PropagatedValue[],
  isAccepted: (declared: PropagatedValue) => boolean,
): InboundValues {
  const { headers } = request;
  const headerOf = new Map<string, PropagatedValue>();
  for (const each of all) if (each.as === "header") headerOf.set(each.folded, each);
  if (headerOf.size === 0) return { ctx, unverified: undefined, invalid: undefined };
  let unverified: Map<string, string> | undefined;
  let invalid: InvalidHeader | undefined;
  let bound = ctx;
  for (const name of headers.names()) {
    const known = headerOf.get(folded(name));
    if (known === undefined) continue;
    const value = headers.get(name)!;
    const isOnce = typeof value === "string" ? !value.includes(",") : value.length === 1;
    if (known.name === name && isAccepted(known)) {
      if (isOnce) bound = bind(bound, known, String(value));
      else invalid ??= new InvalidHeader(name);
    } else {
      // A misspelt declared name is treated as a spoofing attempt.
      if (known.name === name && known.accept === "verified") {
        if (isOnce) (unverified ??= new Map()).set(name, String(value));
        else invalid ??= new InvalidHeader(name);
      } else {
        countRefusedValue(known.name, "untrusted");
      }
      request.remove(name);
    }
  }
  return { ctx: bound, unverified, invalid };
}

function receiveBaggage(
  ctx: Context,
  request: IncomingRequest,
  declared: readonly PropagatedValue[],
  isAccepted: (declared: PropagatedValue) => boolean,
  isForwarded: () => boolean,
): Context {
  const value = request.headers.get("baggage");
  const header = typeof value === "string" ? value : value?.join(",");
  // A propagator of OpenTelemetry's, be it an instrumentation's, has read the same before us.
  const extracted = propagation.getBaggage(ctx);
  if (header === undefined && extracted === undefined) return ctx;

  const bound = header === undefined ? ctx : bindBaggage(ctx, header, declared, isAccepted);
  if (!isForwarded()) {
    // Sent on, it would come from us, whom the next service may trust.
    if (header !== undefined) rewriteBaggage(request, header, onlyEntries(header, declared.filter(isAccepted)));
    return extracted === undefined ? bound : (propagation.deleteBaggage(bound) as Context);
  }
  const refused = new Set(declared.filter((each) => !isAccepted(each)).map(({ folded }) => folded));
  if (header !== undefined && refused.size > 0) {
    rewriteBaggage(request, header, withoutEntries(header, refused));
  }
  // PropagatedValue values are in the context under their keys, and go where their propagatedValues say. Instrumentations send baggage to everyone.
  const own = new Set(declared.map(({ folded }) => folded));
  const names = extracted?.getAllEntries().flatMap(([name]) => (own.has(foldedName(name)) ? name : [])) ?? [];
  return names.length === 0 ? bound : (propagation.setBaggage(bound, extracted!.removeEntries(...names)) as Context);
}

function rewriteBaggage(request: IncomingRequest, header: string, kept: string | undefined): void {
  if (kept === undefined) request.remove("baggage");
  else if (kept !== header) request.replace("baggage", kept);
}

/** The context with the declared values of a `baggage` header that the peer may set; counts those that it may not. */
function bindBaggage(
  ctx: Context,
  header: string,
  declared: readonly PropagatedValue[],
  isAccepted: (declared: PropagatedValue) => boolean,
): Context {
  if (declared.length === 0) return ctx;
  const byName = new Map(declared.map((each) => [each.name, each]));
  let bound = ctx;
  const members = parseBaggage(header);
  for (const { name, value } of members) {
    const known = byName.get(name);
    if (known === undefined || !isAccepted(known)) continue;
    // Of two, one may be forged.
    const isOnce = members.filter((each) => each.name === name).length === 1;
    if (isOnce) bound = bind(bound, known, value);
    else countRefusedValue(name, "invalid");
  }
  const byFolded = new Map(declared.map((each) => [each.folded, each]));
  for (const entry of header.split(",")) {
    const known = byFolded.get(foldedName(entry));
    if (known !== undefined && !isAccepted(known)) countRefusedValue(known.name, "untrusted");
  }
  return bound;
}

/** The context with the value, if it is one. */
function bind(ctx: Context, declared: PropagatedValue, written: string): Context {
  const value = decode(declared, written);
  if (value !== undefined && isWritable(declared, value)) return ctx.setValue(declared.key, value);
  countRefusedValue(declared.name, "invalid");
  return ctx;
}

/** What cannot be sent on would have every call from here fail. */
function isWritable(declared: PropagatedValue, value: unknown): boolean {
  try {
    encode(declared, value);
    return true;
  } catch {
    return false;
  }
}
