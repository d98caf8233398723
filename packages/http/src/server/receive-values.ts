import { propagation } from "@opentelemetry/api";
import type { Context } from "@throughline/context";

import type { IncomingRequest } from "../observe/server-request.ts";
import { countRefusedValue } from "../telemetry/server-metrics.ts";
import { folded, foldedName, onlyEntries, parseBaggage, withoutEntries } from "../wire/baggage.ts";
import { InvalidHeader } from "../wire/errors.ts";
import { propagatedValues, type PropagatedValue, decode, encode } from "../wire/propagated-values.ts";

/** Headers that were removed from a request until their content is verified, by name. */
export type UnverifiedHeaders = ReadonlyMap<string, string>;

/** From which peers W3C baggage becomes part of the context and is sent to other services. */
export type AcceptBaggage = "trusted" | "any";

/** The result of reading the values of a request. */
export interface InboundValues {
  /** The context with the accepted values. */
  readonly ctx: Context;
  readonly unverified: UnverifiedHeaders | undefined;
  /** Set if a header was sent twice that must be sent once. */
  readonly invalid: InvalidHeader | undefined;
}

/**
 * Binds the values of a request that its peer may set. It removes all others from the request, in every spelling of
 * their names, so that a handler that reads the headers itself does not use them either.
 *
 * @param isTrusted whether the peer is trusted
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
  // Trailers arrive after the body, when no guard verifies them any more.
  request.removeTrailers?.((name) => isPropagatedHeader(folded(name), all));
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

/** Whether a folded name is that of `baggage` or of a propagated header. */
function isPropagatedHeader(name: string, all: readonly PropagatedValue[]): boolean {
  return name === "baggage" || all.some(({ as, folded }) => as === "header" && folded === name);
}

function receiveHeaders(
  ctx: Context,
  request: IncomingRequest,
  all: readonly PropagatedValue[],
  isAccepted: (declaration: PropagatedValue) => boolean,
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
      // A misspelt name of a propagated value is treated as a spoofing attempt.
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
  isAccepted: (declaration: PropagatedValue) => boolean,
  isForwarded: () => boolean,
): Context {
  const value = request.headers.get("baggage");
  const header = typeof value === "string" ? value : value?.join(",");
  // An OpenTelemetry propagator, such as that of an instrumentation, may have read the same header before.
  const extracted = propagation.getBaggage(ctx);
  if (header === undefined && extracted === undefined) return ctx;

  const bound = header === undefined ? ctx : bindBaggage(ctx, header, declared, isAccepted);
  if (!isForwarded()) {
    // The next service may trust this one, and would accept the peer's baggage as ours.
    if (header !== undefined) rewriteBaggage(request, header, onlyEntries(header, declared.filter(isAccepted)));
    return extracted === undefined ? bound : (propagation.deleteBaggage(bound) as Context);
  }
  const refused = new Set(declared.filter((each) => !isAccepted(each)).map(({ folded }) => folded));
  if (header !== undefined && refused.size > 0) {
    rewriteBaggage(request, header, withoutEntries(header, refused));
  }
  // Propagated values are in the context under their keys, and each has its own rule for where it is sent.
  // Instrumentations send baggage to every origin.
  const own = new Set(declared.map(({ folded }) => folded));
  const names = extracted?.getAllEntries().flatMap(([name]) => (own.has(foldedName(name)) ? name : [])) ?? [];
  return names.length === 0 ? bound : (propagation.setBaggage(bound, extracted!.removeEntries(...names)) as Context);
}

function rewriteBaggage(request: IncomingRequest, header: string, kept: string | undefined): void {
  if (kept === undefined) request.remove("baggage");
  else if (kept !== header) request.replace("baggage", kept);
}

/** Binds the propagated values of a `baggage` header that the peer may set, and counts the others. */
function bindBaggage(
  ctx: Context,
  header: string,
  declared: readonly PropagatedValue[],
  isAccepted: (declaration: PropagatedValue) => boolean,
): Context {
  if (declared.length === 0) return ctx;
  const byName = new Map(declared.map((each) => [each.name, each]));
  let bound = ctx;
  const members = parseBaggage(header);
  for (const { name, value } of members) {
    const known = byName.get(name);
    if (known === undefined || !isAccepted(known)) continue;
    // If there are two, one may be forged.
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

/** Binds a value if it is valid. */
function bind(ctx: Context, declaration: PropagatedValue, written: string): Context {
  const value = decode(declaration, written);
  if (value !== undefined && isWritable(declaration, value)) return ctx.setValue(declaration.key, value);
  countRefusedValue(declaration.name, "invalid");
  return ctx;
}

/** Whether the value can be sent. If it could not, every call to another service in this context would fail. */
function isWritable(declaration: PropagatedValue, value: unknown): boolean {
  try {
    encode(declaration, value);
    return true;
  } catch {
    return false;
  }
}
