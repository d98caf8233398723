import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";

import { removePairs } from "../wire/headers.ts";
import type { NodeRequest } from "./node-types.ts";

/** Removes a header from a request, from all the places where Node keeps it. */
export function removeHeader(req: NodeRequest, name: string): void {
  rewrite(req, name, undefined);
}

export function replaceHeader(req: NodeRequest, name: string, value: string): void {
  rewrite(req, name, value);
}

/** @param name in lower case */
function rewrite(req: NodeRequest, name: string, value: string | undefined): void {
  // Node makes the others of `rawHeaders` when they are first asked for, and counts on its length: they come first.
  const distinct = (req as { headersDistinct?: NodeJS.Dict<string[]> }).headersDistinct;
  const { headers, rawHeaders } = req;
  removePairs(rawHeaders, (each) => each.toLowerCase() === name);
  delete headers[name];
  if (distinct !== undefined) delete distinct[name];
  if (value === undefined) return;
  rawHeaders.push(name, value);
  headers[name] = value;
  if (distinct !== undefined) distinct[name] = [value];
}

/** Removes trailers of HTTP/1, which Node sets when it has parsed the end of the body. */
export function removeTrailers(req: IncomingMessage, isUnwanted: (name: string) => boolean): void {
  // Only a chunked body can have any.
  if (req.headers["transfer-encoding"] === undefined) return;
  let kept: string[] = req.rawTrailers ?? [];
  const distinct = (): Record<string, string[]> => {
    const values: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
    for (let index = 0; index < kept.length; index += 2)
      (values[kept[index]!.toLowerCase()] ??= []).push(kept[index + 1]!);
    return values;
  };
  const joined = (): Record<string, string> =>
    Object.fromEntries(Object.entries(distinct()).map(([name, values]) => [name, values.join(", ")]));
  const rawTrailers = {
    get: () => kept,
    set(raw: string[]) {
      kept = [...raw];
      removePairs(kept, isUnwanted);
    },
  };
  // Node makes the others of as many raw ones as it has received: here they are made of those that are kept.
  const made = { rawTrailers, trailers: { get: joined }, trailersDistinct: { get: distinct } };
  for (const [name, accessors] of Object.entries(made)) {
    Object.defineProperty(req, name, { ...accessors, configurable: true, enumerable: true });
  }
}

/** The same for HTTP/2: heard before any other listener, the compatibility API among them. */
export function removeStreamTrailers(stream: ServerHttp2Stream, isUnwanted: (name: string) => boolean): void {
  if (stream.endAfterHeaders) return;
  stream.prependListener("trailers", (trailers, _flags, ...rest: unknown[]) => {
    for (const name of Object.keys(trailers)) if (isUnwanted(name)) delete trailers[name];
    removePairs((rest[0] ?? []) as string[], isUnwanted);
  });
}
