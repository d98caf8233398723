import type { IncomingMessage, Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";

import type { IncomingRequest } from "../observe/server-request.ts";
import { serverRequestOf } from "../server/receive.ts";
import { connectionsOf } from "./connections.ts";
import { NodeIncoming } from "./node-incoming.ts";
import { channels, http, https } from "./node-modules.ts";
import { UpgradedConnection } from "./upgraded-connection.ts";

/** Removes the values that an untrusted peer may not set. If `mayTrust` is false, no peer is trusted. */
export type Strip = (request: IncomingRequest, mayTrust: boolean) => void;

/**
 * The options for upgrade requests: those of the one middleware that trusts any peer. If several do, no peer is
 * trusted, because it is not known which of them would have received the request.
 */
let strip: Strip | undefined;
let trusting = 0;

const watched = new WeakSet<object>();

/**
 * Watches all servers for upgrade requests. Node passes these to listeners of `upgrade` and `connect`, and to no
 * middleware. Untrusted values are removed from them too, and `drain` waits for their connections.
 *
 * @param isTrusting whether the middleware trusts any peer
 */
export function watchUpgrades(stripByOptions: Strip, isTrusting: boolean): void {
  const isFirst = strip === undefined;
  if (isTrusting) trusting += 1;
  if (isFirst || (isTrusting && trusting === 1)) strip = stripByOptions;
  if (!isFirst) return;
  channels?.subscribe("net.server.socket", (message) => {
    const { server } = (message as { socket: { server?: unknown } }).socket;
    if (server instanceof http.Server || server instanceof https.Server) watch(server);
  });
}

function watch(server: Server | SecureServer): void {
  if (watched.has(server)) return;
  watched.add(server);
  for (const event of ["upgrade", "connect"] as const) {
    const upgraded = (req: IncomingMessage, socket: Duplex): void => {
      // The application has removed its own listener, so no code handles the socket.
      if (server.listenerCount(event) === 1) return void socket.destroy();
      // `upgradeContext` has received the request, by its own options.
      if (serverRequestOf(req) !== undefined) return;
      strip!(new NodeIncoming(req), trusting === 1);
      connectionsOf(server).addUpgraded(new UpgradedConnection(socket));
    };
    // A listener changes how Node handles these requests, so it is only added beside one of the application.
    const added = (name: string | symbol): void => {
      if (name !== event) return;
      server.off("newListener", added);
      server.prependListener(event, upgraded);
    };
    if (server.listenerCount(event) > 0) server.prependListener(event, upgraded);
    else server.on("newListener", added);
  }
}
