import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";

import type { Received } from "./host.ts";

type Pairs = Iterable<readonly [name: string, value: unknown]>;

/** Merges headers from several sources: for each name, as written, the distinct values. */
export function gathered(...sources: Pairs[]): Record<string, string> {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of sources.flatMap((source) => [...source])) {
    values.set(name, (values.get(name) ?? new Set()).add(String(value)));
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, [...all].join("\n")]));
}

export function* pairsOf(raw: readonly string[]): Generator<[string, unknown]> {
  for (let index = 0; index < raw.length; index += 2) yield [raw[index]!, raw[index + 1]];
}

function* eachOf(distinct: NodeJS.Dict<string[]> | undefined): Generator<[string, unknown]> {
  // HTTP/2 requests have no such property.
  for (const [name, values] of Object.entries(distinct ?? {})) for (const value of values!) yield [name, value];
}

function* headerPairs({ headers, rawHeaders, headersDistinct }: IncomingMessage): Generator<[string, unknown]> {
  yield* Object.entries(headers);
  yield* pairsOf(rawHeaders);
  yield* eachOf(headersDistinct);
}

function* trailerPairs({ trailers, rawTrailers, trailersDistinct }: IncomingMessage): Generator<[string, unknown]> {
  yield* Object.entries(trailers);
  yield* pairsOf(rawTrailers);
  yield* eachOf(trailersDistinct);
}

/** Collects the trailers that an HTTP/2 stream will report. */
export function trailersOfStream(stream: ServerHttp2Stream): [string, unknown][] {
  const received: [string, unknown][] = [];
  stream.on("trailers", (trailers, _flags, ...rest: unknown[]) => {
    received.push(...Object.entries(trailers), ...pairsOf((rest[0] ?? []) as string[]));
  });
  return received;
}

/** A reader of the trailers of a Node request. */
function trailersOf(req: IncomingMessage): () => Record<string, string> {
  const { stream } = req as { stream?: ServerHttp2Stream };
  const received = stream === undefined ? [] : trailersOfStream(stream);
  return () => gathered(trailerPairs(req), received);
}

export function printed(...given: unknown[]): string {
  return inspect(given, { depth: 9, showHidden: true });
}

/** The headers that can be read from a Node request. */
export function headersOf(req: IncomingMessage): Record<string, string> {
  return gathered(headerPairs(req));
}

/** @param given further arguments of the framework's handlers */
export function receivedByNode(req: IncomingMessage, res: ServerResponse, ...given: unknown[]): Received {
  return {
    text: () => text(req),
    headers: () => headersOf(req),
    trailers: trailersOf(req),
    printed: () => printed(req, res, ...given),
    setHeader: (name, value) => void res.setHeader(name, value),
    body: () => req,
    node: { req, res },
  };
}

/** The headers of a Request, of its clone, and of the Node request behind it. */
function headersOfRequest(request: Request, incoming: IncomingMessage | undefined): Record<string, string> {
  return gathered(request.headers, request.clone().headers, incoming === undefined ? [] : headerPairs(incoming));
}

/** @param seesNode whether the framework passes Node's request on */
export function receivedByFetch(
  request: Request,
  env: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
  seesNode: boolean,
): Received {
  const { incoming, outgoing } = env;
  return {
    text: () => request.text(),
    headers: () => headersOfRequest(request, seesNode ? incoming : undefined),
    trailers: seesNode ? trailersOf(incoming) : () => ({}),
    printed: () => printed(request, seesNode ? env : undefined),
    body: () => request.body,
    node: { req: incoming, res: outgoing },
  };
}
