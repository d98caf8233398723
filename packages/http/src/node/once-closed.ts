import type { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Writable } from "node:stream";

import type { HostResponse } from "../server/host-response.ts";

/** Node 22 never closes the response to a second request in a pipeline whose connection is lost: only the socket tells. */
const NEEDS_SOCKET = Number.parseInt(process.versions.node, 10) < 24;

/** Whether there is a connection: serverless adapters and tests make requests without one (serverless-http, light-my-request, node-mocks-http). */
export function hasConnection(req: IncomingMessage): boolean {
  return req.socket instanceof Socket;
}

/** Calls back once, when the response is over. */
export function onceClosed(req: IncomingMessage, res: ServerResponse, callback: () => void): void {
  if (!hasConnection(req)) return onceOver(res, callback);
  // First in the list: an instrumentation that made the span ends it in a listener on the same event.
  if (!NEEDS_SOCKET) return void res.prependListener("close", callback);

  const open = openOn(req.socket);
  const close = (): void => {
    if (open.delete(close)) callback();
  };
  open.add(close);
  res.prependListener("close", close);
}

/** For a response without a connection: each kind has its own notion of an end, and not each has all methods of an emitter. */
function onceOver(res: ServerResponse, callback: () => void): void {
  let isOver = false;
  const over = (): void => {
    if (isOver) return;
    isOver = true;
    callback();
  };
  // A tick later, as Node 22 emits `finish` before it has the response say that it is ended.
  for (const event of ["finish", "end", "close"]) res.on(event, () => process.nextTick(over));
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

/** Over HTTP/2 a response that is out does not close its stream while the request still comes: its end is told by `finish`, which also an abort brings. */
export function onceFinished(hostResponse: HostResponse, writable: Writable, callback: () => void): void {
  writable.once("finish", () => {
    if (!hostResponse.isClosed) callback();
  });
}
