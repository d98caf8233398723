import type { Http2Session } from "node:http2";

import type { Exchange } from "../server/exchange.ts";

/** What goes on at a server. */
export class Traffic implements Iterable<Exchange> {
  /** Connections of HTTP/2 that requests have come over. */
  readonly sessions: Set<Http2Session> = new Set();
  /** Set once the server is being drained. */
  drained: Promise<void> | undefined = undefined;
  /** Called when an exchange is over. */
  onLeave: (() => void) | undefined = undefined;
  /** How many exchanges there are. */
  count = 0;
  /** They lead to each other, so that to add and to take away one costs a few writes and allocates nothing. */
  #first: Exchange | undefined = undefined;

  add(exchange: Exchange): void {
    const next = this.#first;
    exchange.traffic = this;
    exchange.next = next;
    if (next !== undefined) next.previous = exchange;
    this.#first = exchange;
    this.count += 1;
  }

  remove(exchange: Exchange): void {
    const { next, previous } = exchange;
    if (next !== undefined) next.previous = previous;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    exchange.traffic = exchange.next = exchange.previous = undefined;
    this.count -= 1;
    this.onLeave?.();
  }

  /** Those that there are, the last to come first. None must be added or taken away meanwhile. */
  *[Symbol.iterator](): Generator<Exchange> {
    for (let each = this.#first; each !== undefined; each = each.next) yield each;
  }
}

const known = new WeakMap<object, Traffic>();

export function trafficOf(server: object): Traffic {
  let traffic = known.get(server);
  if (traffic === undefined) known.set(server, (traffic = new Traffic()));
  return traffic;
}

/** Counts an exchange among what goes on at the server of its connection, until {@link leaveTraffic}. */
export function joinTraffic(exchange: Exchange, socket: object | null | undefined, session?: Http2Session): void {
  const server = (socket as { server?: object } | null | undefined)?.server;
  if (server === undefined) return;
  const traffic = trafficOf(server);
  traffic.add(exchange);
  const { sessions } = traffic;
  if (session !== undefined && !sessions.has(session)) {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  }
}

export function leaveTraffic(exchange: Exchange): void {
  exchange.traffic?.remove(exchange);
}
