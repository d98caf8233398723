import type { Http2Session } from "node:http2";

import type { Exchange } from "./exchange.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";

/** What goes on at a server. */
export interface Traffic {
  readonly exchanges: Set<Exchange>;
  /** Connections of HTTP/2 that requests have come over. */
  readonly sessions: Set<Http2Session>;
  /** Set once the server is being drained. */
  drained?: Promise<void>;
}

const known = new WeakMap<object, Traffic>();

export function trafficOf(server: object): Traffic {
  let traffic = known.get(server);
  if (traffic === undefined) {
    traffic = { exchanges: new Set(), sessions: new Set() };
    known.set(server, traffic);
  }
  return traffic;
}

/** Counts an exchange among what goes on at its server, until what this returns is called. */
export function joinTraffic(req: NodeRequest, res: NodeResponse, exchange: Exchange): () => void {
  const server = (req.socket as { server?: object } | null)?.server;
  if (server === undefined) return () => {};
  const { exchanges, sessions } = trafficOf(server);
  exchanges.add(exchange);
  const session = "stream" in res ? res.stream.session : undefined;
  if (session !== undefined && !sessions.has(session)) {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  }
  return () => exchanges.delete(exchange);
}
