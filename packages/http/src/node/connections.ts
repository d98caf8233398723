import type { Http2Session, ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";

import type { ServerRequest } from "../server/server-request.ts";

/** What goes on at a server. */
export class ActiveRequests implements Iterable<ServerRequest> {
  /** Connections of HTTP/2 that requests have come over. */
  readonly sessions: Set<Http2Session> = new Set();
  /** Connections that were upgraded to another protocol, as to WebSocket. */
  readonly upgraded: Set<Duplex> = new Set();
  /** Set once the server is being drained. */
  drained: Promise<void> | undefined = undefined;
  /** How many exchanges there are. */
  count = 0;
  /** They lead to each other, so that to add and to take away one costs a few writes and allocates nothing. */
  #first: ServerRequest | undefined = undefined;
  #onLeave: (() => void) | undefined = undefined;

  add(serverRequest: ServerRequest): void {
    const next = this.#first;
    serverRequest.active = this;
    serverRequest.next = next;
    if (next !== undefined) next.previous = serverRequest;
    this.#first = serverRequest;
    this.count += 1;
  }

  remove(serverRequest: ServerRequest): void {
    const { next, previous } = serverRequest;
    if (next !== undefined) next.previous = previous;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    serverRequest.active = serverRequest.next = serverRequest.previous = undefined;
    this.count -= 1;
    this.#onLeave?.();
  }

  /** Adds a connection to one of the sets until it is closed. */
  keep<C extends Http2Session | Duplex>(connections: Set<C>, connection: C): void {
    if (connections.has(connection)) return;
    connections.add(connection);
    connection.once("close", () => {
      connections.delete(connection);
      this.#onLeave?.();
    });
  }

  /** Resolves when no request runs. */
  untilIdle(): Promise<void> {
    return this.#until(() => this.count === 0);
  }

  /** Resolves when the connections of HTTP/2, and those that were upgraded, are closed. */
  untilClosed(): Promise<void> {
    return this.#until(() => this.sessions.size + this.upgraded.size === 0);
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (condition()) resolve();
      };
      this.#onLeave = look;
      look();
    });
  }

  /** Those that there are, the last to come first. None must be added or taken away meanwhile. */
  *[Symbol.iterator](): Generator<ServerRequest> {
    for (let each = this.#first; each !== undefined; each = each.next) yield each;
  }
}

const known = new WeakMap<object, ActiveRequests>();

export function activeRequestsOf(server: object): ActiveRequests {
  let active = known.get(server);
  if (active === undefined) known.set(server, (active = new ActiveRequests()));
  return active;
}

/** Counts an request among what goes on at the server of its connection, until {@link removeActiveRequest}. */
export function addActiveRequest(
  serverRequest: ServerRequest,
  socket: object | null | undefined,
  session?: Http2Session,
): void {
  // A connection that another server has handed over still names that one; its session knows better. HTTP/1 corrects the name itself.
  const server =
    (session as ServerHttp2Session & { server?: object })?.server ?? (socket as { server?: object } | null)?.server;
  if (server === undefined) return;
  const active = activeRequestsOf(server);
  active.add(serverRequest);
  if (session !== undefined) active.keep(active.sessions, session);
}

export function removeActiveRequest(serverRequest: ServerRequest): void {
  serverRequest.active?.remove(serverRequest);
}
