import type { IncomingMessage } from "node:http";

type Told = Iterable<readonly [name: string, value: unknown]>;

/** All that is told of headers, in whatever ways: of each name, as it is written, the values that differ. */
function gathered(...ways: Told[]): Record<string, string> {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of ways.flatMap((way) => [...way])) {
    values.set(name, (values.get(name) ?? new Set()).add(String(value)));
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, [...all].join("\n")]));
}

function* waysOfNode({ headers, rawHeaders, headersDistinct }: IncomingMessage): Generator<[string, unknown]> {
  yield* Object.entries(headers);
  for (let index = 0; index < rawHeaders.length; index += 2) yield [rawHeaders[index]!, rawHeaders[index + 1]];
  // HTTP/2 has none.
  for (const [name, values] of Object.entries(headersDistinct ?? {})) for (const value of values!) yield [name, value];
}

/** What a request of Node's still says. */
export function toldByNode(req: IncomingMessage): Record<string, string> {
  return gathered(waysOfNode(req));
}

/** What a Request says, what a copy of it does, and what the server's own does that it came from. */
export function toldByRequest(request: Request, env?: unknown): Record<string, string> {
  const { incoming } = (env ?? {}) as { incoming?: IncomingMessage };
  return gathered(request.headers, request.clone().headers, incoming === undefined ? [] : waysOfNode(incoming));
}
