import type { Http2Session } from "node:http2";

import type { Exchange } from "../server/exchange.ts";

/** What goes on at a server. */
export interface Traffic {
  /** In no order: each knows its place, so that to add and to remove one costs a write or two. */
  readonly exchanges: Exchange[];
  /** Connections of HTTP/2 that requests have come over. */
  readonly sessions: Set<Http2Session>;
  /** Set once the server is being drained. */
  drained?: Promise<void>;
  /** Called when an exchange is over. */
  onLeave?: () => void;
}

const known = new WeakMap<object, Traffic>();

export function trafficOf(server: object): Traffic {
  let traffic = known.get(server);
  if (traffic === undefined) {
    traffic = { exchanges: [], sessions: new Set() };
    known.set(server, traffic);
  }
  return traffic;
}

/** Counts an exchange among what goes on at the server of its connection, until {@link leaveTraffic}. */
export function joinTraffic(exchange: Exchange, socket: object | null | undefined, session?: Http2Session): void {
  const server = (socket as { server?: object } | null | undefined)?.server;
  if (server === undefined) return;
  const traffic = trafficOf(server);
  exchange.traffic = traffic;
  exchange.place = traffic.exchanges.push(exchange) - 1;
  const { sessions } = traffic;
  if (session !== undefined && !sessions.has(session)) {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  }
}

export function leaveTraffic(exchange: Exchange): void {
  const { traffic } = exchange;
  if (traffic === undefined) return;
  exchange.traffic = undefined;
  const last = traffic.exchanges.pop()!;
  if (last !== exchange) {
    traffic.exchanges[exchange.place] = last;
    last.place = exchange.place;
  }
  traffic.onLeave?.();
}
