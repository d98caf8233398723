import type { Socket } from "node:net";

import type { NodeRequest, NodeResponse } from "./node-types.ts";

/** Node 22 never closes the response to a second request in a pipeline whose connection is lost: only the socket tells. */
const NEEDS_SOCKET = Number.parseInt(process.versions.node, 10) < 24;

/** Whether nothing can go out any more. */
export function isClosed(res: NodeResponse): boolean {
  return "stream" in res ? res.stream.destroyed || res.stream.closed : res.destroyed || res.closed;
}

/** Calls back once, when the response is over, or has been over before. */
export function onceClosed(req: NodeRequest, res: NodeResponse, callback: () => void): void {
  if (isClosed(res)) return callback();
  // First in the list: an instrumentation that made the span ends it in a listener on the same event.
  if (!NEEDS_SOCKET || "stream" in res) return void res.prependListener("close", callback);

  const open = openOn(req.socket as Socket);
  const close = (): void => {
    if (open.delete(close)) callback();
  };
  open.add(close);
  res.prependListener("close", close);
}

/** What is open on a connection: one listener for all, as thousands of requests may come over it. */
const connections = new WeakMap<Socket, Set<() => void>>();

function openOn(socket: Socket): Set<() => void> {
  const known = connections.get(socket);
  if (known !== undefined) return known;
  const open = new Set<() => void>();
  connections.set(socket, open);
  socket.once("close", () => {
    // The response's own event comes first, where it comes at all.
    setImmediate(() => {
      for (const close of open) close();
    });
  });
  return open;
}
