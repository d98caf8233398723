import { removePairs } from "@throughline/http/adapter";

import type { HeaderPairs } from "./header-list.ts";

/** A request of undici, as its diagnostics channels publish it. */
export interface UndiciRequest {
  readonly origin: string | URL;
  readonly path: string;
  readonly method: string;
  /** Alternating names and values. undici does not document that this is an array, so each use checks. */
  readonly headers: unknown;
  addHeader(name: string, value: string): void;
}

/** A response head of undici, as its diagnostics channels publish it. */
export interface UndiciResponse {
  readonly statusCode: number;
  /** Alternating names and values, as bytes. */
  readonly headers: unknown;
}

/** The request's URL. A path that begins with `//` is still a path; only a proxy is sent an absolute URL as path. */
export function urlOf({ origin, path }: UndiciRequest): URL {
  return new URL(path.startsWith("/") ? `${new URL(origin).origin}${path}` : path, origin);
}

/** Whether the raw headers contain a `traceparent` that is not among `ownHeaders`: another instrumentation wrote it. */
export function hasForeignTrace(raw: unknown, ownHeaders: HeaderPairs): boolean {
  if (!Array.isArray(raw)) return false;
  for (let index = 0; index < raw.length; index += 2) {
    const name: unknown = raw[index];
    if (!isNamed(name, "traceparent")) continue;
    if (!ownHeaders.some(([own, value]) => own === "traceparent" && value === String(raw[index + 1]))) return true;
  }
  return false;
}

/** Whether the raw headers contain this header with this value. */
export function includesHeader(raw: unknown, [name, value]: HeaderPairs[number]): boolean {
  if (!Array.isArray(raw)) return false;
  return raw.some((each, index) => index % 2 === 1 && each === value && isNamed(raw[index - 1], name));
}

/**
 * Replaces the headers `before` by `after`, and all headers of the same names. Headers that are in both lists stay as
 * they are.
 *
 * @returns false if the headers of the request cannot be changed
 */
export function replaceHeaders(request: UndiciRequest, before: HeaderPairs, after: HeaderPairs): boolean {
  const raw = request.headers;
  if (!Array.isArray(raw)) return before.length === 0;
  const added = without(after, before);
  const removed = without(before, after);
  removePairs<unknown>(
    raw,
    (name, value) =>
      removed.some(([own, old]) => isNamed(name, own) && value === old) || added.some(([own]) => isNamed(name, own)),
  );
  for (const [name, value] of added) request.addHeader(name, value);
  return true;
}

/** The URL in the `location` header of a response's raw headers; `undefined` if there is none or it is invalid. */
export function locationIn(raw: unknown, base: URL): URL | undefined {
  if (!Array.isArray(raw)) return undefined;
  const index = raw.findIndex((name, index) => index % 2 === 0 && String(name).toLowerCase() === "location");
  return index < 0 ? undefined : (URL.parse(String(raw[index + 1]), base.href) ?? undefined);
}

function isNamed(name: unknown, wanted: string): boolean {
  return typeof name === "string" && name.length === wanted.length && name.toLowerCase() === wanted;
}

function without(pairs: HeaderPairs, others: HeaderPairs): HeaderPairs {
  return pairs.filter(([name, value]) => !others.some(([other, same]) => other === name && same === value));
}
