import type { Server } from "node:http";
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import { describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

import { type ActiveRequests, activeRequestsOf } from "../server/active-requests.ts";
import { delay, type DrainOptions, GRACE_MS, limitDownstream, waitAndCancel } from "../server/drain.ts";
import { problemOf, problemResponse } from "../server/problem.ts";
import { ServerDraining } from "../wire/errors.ts";
import { type Connections, connectionsOf } from "./connections.ts";
import type { NodeRequest, NodeResponse } from "./node-incoming.ts";
import { events, net } from "./node-modules.ts";
import { sendProblem } from "./receive-node.ts";
import { StreamHostResponse } from "./stream-response.ts";

/** The servers that `drain` accepts. */
export type DrainableServer = Server | Http2Server | Http2SecureServer;

/**
 * How long idle connections stay open, in milliseconds. A request may be on its way over one of them. Clients with
 * active connections learn in this time, from `Connection: close` on the next response, that they must not send another
 * request.
 */
const IDLE_GRACE_MS = 500;

const DRAINING = problemOf(new ServerDraining())!;

/**
 * Shuts a server down without losing a request.
 *
 * - It accepts no further connections. New requests on open connections are answered 503 with `Retry-After`, and no
 *   handler runs.
 * - Active requests continue for up to `shutdownTimeout`, which also limits the deadline that they send to other
 *   services.
 * - Each response closes its connection, and idle connections are closed after half a second.
 * - Requests that are active after `shutdownTimeout` are canceled with `ServerDraining` as the cause. They have half a
 *   second to answer; then `drain` answers in their place.
 * - WebSockets of a server with `upgradeContext` are closed with code 1001 (going away) as soon as they handle no
 *   message. They may take until `shutdownTimeout`; then their contexts are canceled with `ServerDraining` as the cause.
 * - All other upgraded connections are closed last: WebSockets of the package `ws` with code 1001, the rest without a
 *   closing message.
 *
 * @returns a promise that resolves when the last connection is closed. A second call returns the promise of the first
 * @throws TypeError, RangeError if an argument is invalid
 */
export function drain(server: DrainableServer, { shutdownTimeout, ...others }: DrainOptions): Promise<void> {
  refuseUnknown(others, "drain a server");
  const ms = milliseconds(shutdownTimeout, "drain a server", "shutdownTimeout");
  if (typeof server?.close !== "function" || typeof server.on !== "function") {
    throw new TypeError(
      `Cannot drain a server: it must be one of node:http or node:http2; received ${describeValue(server)}`,
    );
  }
  const known = drains.get(server);
  if (known !== undefined) return known;
  const active = activeRequestsOf(server);
  const connections = connectionsOf(server);
  // A server that does not listen may still serve connections that another server has handed over.
  if (!server.listening && active.count === 0 && connections.sessions.size === 0) return Promise.resolve();
  const done = drainWithin(server, active, connections, ms);
  drains.set(server, done);
  return done;
}

const drains = new WeakMap<object, Promise<void>>();

async function drainWithin(
  server: DrainableServer,
  active: ActiveRequests,
  connections: Connections,
  ms: number,
): Promise<void> {
  rejectNewRequests(server);
  limitDownstream(active, ms);
  closeAfterResponses(active);
  const isListening = server.listening;
  const closed = isListening ? events.once(server, "close") : Promise.resolve();
  // The `close` of an HTTP server closes idle connections at once, and loses the requests that are on their way over
  // them.
  if (isListening) net.Server.prototype.close.call(server);
  for (const session of connections.sessions) session.close();
  const upgraded = [...connections.upgraded].filter(({ ctx }) => ctx !== undefined);
  for (const connection of upgraded) connection.closeWhenIdle();

  // `closed` does not wait for connections that another server has handed over; `idle` waits for their active requests.
  const idle = Promise.all([active.untilIdle(), ...upgraded.map((connection) => connection.untilClosed())]);
  const done = Promise.all([idle, isListening ? Promise.race([closed, delay(IDLE_GRACE_MS)]) : delay(IDLE_GRACE_MS)]);
  await waitAndCancel(() => [...active, ...upgraded], ms, done);
  await closeAll(server, connections, closed);
}

/** Lets the last response of each connection close it: of pipelined responses, the newest. */
function closeAfterResponses(active: ActiveRequests): void {
  const closing = new Set<object>();
  for (const serverRequest of active) {
    const { connection = serverRequest } = serverRequest;
    if (!closing.has(connection)) serverRequest.response?.closeConnection?.();
    closing.add(connection);
  }
}

/** Closes all connections, after some time for the last responses to be sent. */
async function closeAll(server: DrainableServer, connections: Connections, closed: Promise<unknown>): Promise<void> {
  server.close();
  for (const connection of connections.upgraded) connection.close();
  await Promise.race([Promise.all([closed, connections.untilClosed()]), delay(GRACE_MS)]);
  if ("closeAllConnections" in server) server.closeAllConnections();
  for (const session of connections.sessions) session.destroy();
  for (const { socket } of connections.upgraded) socket.destroy();
  // An unknown upgraded connection must not keep the promise from resolving.
  await Promise.race([closed, delay(GRACE_MS)]);
}

/**
 * Replaces all listeners for requests. Without listeners of its own, a special request, such as an upgrade, is an
 * ordinary request.
 */
function rejectNewRequests(server: DrainableServer): void {
  for (const event of ["request", "checkContinue", "checkExpectation", "upgrade", "connect"])
    server.removeAllListeners(event);
  server.on("request", reject);
  if (!isHttp2(server)) return;
  // The compatibility API is one of these listeners; without it, `request` is only emitted for HTTP/1.
  server.removeAllListeners("stream");
  server.on("stream", rejectStream);
}

function isHttp2(server: DrainableServer): server is Http2Server | Http2SecureServer {
  return "updateSettings" in server;
}

function reject(req: NodeRequest, res: NodeResponse): void {
  if (!("stream" in res)) res.setHeader("connection", "close");
  req.resume();
  sendProblem(req, res, DRAINING, false);
}

function rejectStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const hostResponse = new StreamHostResponse(stream, headers);
  stream.resume();
  hostResponse.send(problemResponse(DRAINING, false, hostResponse.accept));
}
