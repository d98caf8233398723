import { removePairs } from "@throughline/http/adapter";

export type Pairs = readonly (readonly [name: string, value: string])[];

/** The headers of a request of undici's, names and values in turn: undici does not promise that they are a list. */
interface WithRawHeaders {
  readonly headers: unknown;
  addHeader(name: string, value: string): void;
}

/** Whether the list has a trace header that is not among ours. */
export function isTracedBy(raw: unknown, ours: Pairs): boolean {
  if (!Array.isArray(raw)) return false;
  for (let index = 0; index < raw.length; index += 2) {
    const name: unknown = raw[index];
    if (!isNamed(name, "traceparent")) continue;
    if (!ours.some(([own, value]) => own === "traceparent" && value === String(raw[index + 1]))) return true;
  }
  return false;
}

/** Whether the list has this header with this value. */
export function isCarried(raw: unknown, [name, value]: Pairs[number]): boolean {
  if (!Array.isArray(raw)) return false;
  return raw.some((each, index) => index % 2 === 1 && each === value && isNamed(raw[index - 1], name));
}

/** Replaces headers of a request by others, and any of the same name, as far as they differ; false if the request does not allow that. */
export function rewrite(request: WithRawHeaders, before: Pairs, after: Pairs): boolean {
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

/** The address that the headers of a response name, which are bytes; `undefined` if they name none. */
export function locationIn(raw: unknown, base: URL): URL | undefined {
  if (!Array.isArray(raw)) return undefined;
  const index = raw.findIndex((name, index) => index % 2 === 0 && String(name).toLowerCase() === "location");
  return index < 0 ? undefined : (URL.parse(String(raw[index + 1]), base.href) ?? undefined);
}

function isNamed(name: unknown, wanted: string): boolean {
  return typeof name === "string" && name.length === wanted.length && name.toLowerCase() === wanted;
}

function without(pairs: Pairs, others: Pairs): Pairs {
  return pairs.filter(([name, value]) => !others.some(([other, same]) => other === name && same === value));
}
