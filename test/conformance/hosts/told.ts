import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";

import type { Received } from "./host.ts";

type Told = Iterable<readonly [name: string, value: unknown]>;

/** All that is told of headers, in whatever ways: of each name, as it is written, the values that differ. */
export function gathered(...ways: Told[]): Record<string, string> {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of ways.flatMap((way) => [...way])) {
    values.set(name, (values.get(name) ?? new Set()).add(String(value)));
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, [...all].join("\n")]));
}

export function* pairsOf(raw: readonly string[]): Generator<[string, unknown]> {
  for (let index = 0; index < raw.length; index += 2) yield [raw[index]!, raw[index + 1]];
}

function* eachOf(distinct: NodeJS.Dict<string[]> | undefined): Generator<[string, unknown]> {
  // HTTP/2 has none.
  for (const [name, values] of Object.entries(distinct ?? {})) for (const value of values!) yield [name, value];
}

function* waysOfNode({ headers, rawHeaders, headersDistinct }: IncomingMessage): Generator<[string, unknown]> {
  yield* Object.entries(headers);
  yield* pairsOf(rawHeaders);
  yield* eachOf(headersDistinct);
}

function* trailersOfNode({ trailers, rawTrailers, trailersDistinct }: IncomingMessage): Generator<[string, unknown]> {
  yield* Object.entries(trailers);
  yield* pairsOf(rawTrailers);
  yield* eachOf(trailersDistinct);
}

/** What a stream of HTTP/2 reports of trailers that are still to come. */
export function trailersOfStream(stream: ServerHttp2Stream): [string, unknown][] {
  const heard: [string, unknown][] = [];
  stream.on("trailers", (trailers, _flags, ...rest: unknown[]) => {
    heard.push(...Object.entries(trailers), ...pairsOf((rest[0] ?? []) as string[]));
  });
  return heard;
}

/** The trailers of a request of Node's that are still to come. */
function trailersToCome(req: IncomingMessage): () => Record<string, string> {
  const { stream } = req as { stream?: ServerHttp2Stream };
  const heard = stream === undefined ? [] : trailersOfStream(stream);
  return () => gathered(trailersOfNode(req), heard);
}

export function printed(...given: unknown[]): string {
  return inspect(given, { depth: 9, showHidden: true });
}

/** What a request of Node's still says. */
export function toldByNode(req: IncomingMessage): Record<string, string> {
  return gathered(waysOfNode(req));
}

/** @param given what the framework gives its handlers besides */
export function receivedByNode(req: IncomingMessage, res: ServerResponse, ...given: unknown[]): Received {
  return {
    text: () => text(req),
    headers: () => toldByNode(req),
    trailers: trailersToCome(req),
    printed: () => printed(req, res, ...given),
    setHeader: (name, value) => void res.setHeader(name, value),
    body: () => req,
    node: { req, res },
  };
}

/** What a Request says, what a copy of it does, and what the server's own does that it came from. */
function toldByRequest(request: Request, incoming: IncomingMessage | undefined): Record<string, string> {
  return gathered(request.headers, request.clone().headers, incoming === undefined ? [] : waysOfNode(incoming));
}

/** @param isToldOfNode whether the framework passes the host's own request on */
export function receivedByFetch(
  request: Request,
  env: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
  isToldOfNode: boolean,
): Received {
  const { incoming, outgoing } = env;
  return {
    text: () => request.text(),
    headers: () => toldByRequest(request, isToldOfNode ? incoming : undefined),
    trailers: isToldOfNode ? trailersToCome(incoming) : () => ({}),
    printed: () => printed(request, isToldOfNode ? env : undefined),
    body: () => request.body,
    node: { req: incoming, res: outgoing },
  };
}
