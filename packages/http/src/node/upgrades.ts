import { subscribe } from "node:diagnostics_channel";
import { type IncomingMessage, Server } from "node:http";
import { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";

import type { IncomingRequest } from "../observe/server-request.ts";
import { connectionsOf } from "./connections.ts";
import { NodeIncoming } from "./node-incoming.ts";

/** Removes from a request what its peer may not say; `mayTrust` is false where no peer is to be trusted. */
export type Strip = (request: IncomingRequest, mayTrust: boolean) => void;

/** How upgrade requests are stripped: by the options of the one middleware that trusts any peer. Of several it is not known which would serve it. */
let strip: Strip | undefined;
let trusting = 0;

const watched = new WeakSet<object>();

/**
 * Watches servers for requests that ask for another protocol, which Node hands to listeners of `upgrade` and `connect` and to no middleware. What
 * untrusted peers say is removed from them too, and `drain` knows their connections.
 *
 * @param isTrusting whether the middleware trusts any peer
 */
export function watchUpgrades(byOptions: Strip, isTrusting: boolean): void {
  const isFirst = strip === undefined;
  if (isTrusting) trusting += 1;
  if (isFirst || (isTrusting && trusting === 1)) strip = byOptions;
  if (!isFirst) return;
  subscribe("net.server.socket", (message) => {
    const { server } = (message as { socket: { server?: unknown } }).socket;
    if (server instanceof Server || server instanceof SecureServer) watch(server);
  });
}

function watch(server: Server | SecureServer): void {
  if (watched.has(server)) return;
  watched.add(server);
  for (const event of ["upgrade", "connect"] as const) {
    const upgraded = (req: IncomingMessage, socket: Duplex): void => {
      // The application's own listener is gone: Node would not have called anybody.
      if (server.listenerCount(event) === 1) return void socket.destroy();
      strip!(new NodeIncoming(req), trusting === 1);
      connectionsOf(server).addUpgraded(socket);
    };
    // A listener makes a difference: only where there is one of the application's.
    const added = (name: string | symbol): void => {
      if (name !== event) return;
      server.off("newListener", added);
      server.prependListener(event, upgraded);
    };
    if (server.listenerCount(event) > 0) server.prependListener(event, upgraded);
    else server.on("newListener", added);
  }
}
