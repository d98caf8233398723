import type { Http2Session, ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";

import { activeRequestsOf } from "../server/active-requests.ts";
import type { ServerRequest } from "../server/server-request.ts";
import type { UpgradedConnection } from "./upgraded-connection.ts";

/** Connections of a server that Node's own `close` does not wait for. */
export class Connections {
  /** HTTP/2 connections that requests have used. */
  readonly sessions: Set<Http2Session> = new Set();
  /** Connections that were upgraded to another protocol, such as WebSocket. */
  readonly upgraded: Set<UpgradedConnection> = new Set();
  #onClosed: (() => void) | undefined = undefined;

  addSession(session: Http2Session): void {
    this.#add(this.sessions, session, session);
  }

  addUpgraded(connection: UpgradedConnection): void {
    this.#add(this.upgraded, connection, connection.socket);
  }

  /** Resolves when all of these connections are closed. */
  untilClosed(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => (this.#onClosed = resolve));
  }

  #add<C>(connections: Set<C>, connection: C, emitter: Http2Session | Duplex): void {
    if (connections.has(connection)) return;
    connections.add(connection);
    emitter.once("close", () => {
      connections.delete(connection);
      if (this.#isClosed) this.#onClosed?.();
    });
  }

  get #isClosed(): boolean {
    return this.sessions.size + this.upgraded.size === 0;
  }
}

const byServer = new WeakMap<object, Connections>();

/** The connections of a server. The same object is returned for the same server. */
export function connectionsOf(server: object): Connections {
  let connections = byServer.get(server);
  if (connections === undefined) byServer.set(server, (connections = new Connections()));
  return connections;
}

/** Adds a request to the active requests of the server that its connection belongs to, until its response ends. */
export function addActiveRequest(
  serverRequest: ServerRequest,
  socket: object | null | undefined,
  session?: Http2Session,
): void {
  // The socket of a connection that another server has handed over still names that server; the HTTP/2 session names
  // the current one. HTTP/1 updates the socket.
  const server =
    (session as ServerHttp2Session & { server?: object })?.server ?? (socket as { server?: object } | null)?.server;
  if (server === undefined) return;
  activeRequestsOf(server).add(serverRequest);
  if (session !== undefined) connectionsOf(server).addSession(session);
}
