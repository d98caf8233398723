import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Node 22 never closes the response to a second request in a pipeline whose connection is lost: only the socket tells. */
const NEEDS_SOCKET = Number.parseInt(process.versions.node, 10) < 24;

/** Calls back once, when the response is over. */
export function onceClosed(req: IncomingMessage, res: ServerResponse, callback: () => void): void {
  // First in the list: an instrumentation that made the span ends it in a listener on the same event.
  if (!NEEDS_SOCKET) return void res.prependListener("close", callback);

  const open = openOn(req.socket);
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
