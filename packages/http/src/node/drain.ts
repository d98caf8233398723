import { once } from "node:events";
import type { Server } from "node:http";
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Server as NetServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

import { type ActiveRequests, activeRequestsOf } from "../server/active-requests.ts";
import { type DrainOptions, GRACE_MS, limitDownstream, waitAndCancel } from "../server/drain.ts";
import { problemResponse } from "../server/problem-response.ts";
import { problemOf } from "../server/problem.ts";
import { ServerDraining } from "../wire/errors.ts";
import { type Connections, connectionsOf } from "./connections.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import { sendProblem } from "./receive-node.ts";
import { StreamHostResponse } from "./stream-response.ts";

/** Servers of Node that can be drained. */
export type DrainableServer = Server | Http2Server | Http2SecureServer;

/**
 * How long connections that are idle stay open, in milliseconds. A request may be on its way over one of them; those that are in use learn meanwhile,
 * by `Connection: close` on their next response, that there will be no other.
 */
const IDLE_GRACE = 500;

const REFUSAL = problemOf(new ServerDraining())!;

/**
 * Ends a server without losing a request: it accepts no more connections; requests that still come over open ones get 503 with `Retry-After`, and
 * nothing of them is run; those that run go on until they are done, or for as long as `shutdownTimeout` says, and services that they call are given no more
 * time than that. Each response closes its connection, and idle connections are closed a little later. Contexts of requests that are left at the end
 * are cancelled, with `ServerDraining` as the cause; they have a moment to answer that, and are answered for if they do not. Then connections that were
 * upgraded are ended too: close them yourself before, if their protocol has a word for it.
 *
 * @returns a promise that resolves when the last connection is closed; a second call gives the first one's
 * @throws TypeError, RangeError if an argument is wrong
 */
export function drain(server: DrainableServer, { shutdownTimeout, ...others }: DrainOptions): Promise<void> {
  refuseUnknown(others, "drain a server");
  const ms = milliseconds(shutdownTimeout, "drain a server", "shutdownTimeout");
  if (typeof server?.close !== "function" || typeof server.on !== "function") {
    throw new TypeError(
      `Cannot drain a server: it must be one of node:http or node:http2; received ${describeValue(server)}`,
    );
  }
  const known = drained.get(server);
  if (known !== undefined) return known;
  const active = activeRequestsOf(server);
  const connections = connectionsOf(server);
  // A server that does not listen may still serve connections that another server hands over.
  if (!server.listening && active.count === 0 && connections.sessions.size === 0) return Promise.resolve();
  const done = drainWithin(server, active, connections, ms);
  drained.set(server, done);
  return done;
}

const drained = new WeakMap<object, Promise<void>>();

async function drainWithin(
  server: DrainableServer,
  active: ActiveRequests,
  connections: Connections,
  ms: number,
): Promise<void> {
  refuseAll(server);
  limitDownstream(active, ms);
  closeAfterResponses(active);
  const isListening = server.listening;
  const closed = isListening ? once(server, "close") : Promise.resolve();
  // Not by its own `close`, which closes idle connections at once, and loses the requests that are on their way over them.
  if (isListening) NetServer.prototype.close.call(server);
  for (const session of connections.sessions) session.close();

  // Connections that another server hands over are not among those that `closed` waits for; their active requests are.
  const idle = active.untilIdle();
  const done = Promise.all([idle, isListening ? Promise.race([closed, delay(IDLE_GRACE)]) : delay(IDLE_GRACE)]);
  await waitAndCancel(() => [...active], ms, done);
  await closeAll(server, connections, closed);
}

/** Of several pipelined responses on one connection, the newest closes it. */
function closeAfterResponses(active: ActiveRequests): void {
  const closing = new Set<object>();
  for (const serverRequest of active) {
    const { connection = serverRequest } = serverRequest;
    if (!closing.has(connection)) serverRequest.response?.closeConnection?.();
    closing.add(connection);
  }
}

/** Closes all connections, after the time that the last responses need to be sent. */
async function closeAll(server: DrainableServer, connections: Connections, closed: Promise<unknown>): Promise<void> {
  server.close();
  for (const socket of connections.upgraded) socket.end();
  await Promise.race([Promise.all([closed, connections.untilClosed()]), delay(GRACE_MS)]);
  if ("closeAllConnections" in server) server.closeAllConnections();
  for (const session of connections.sessions) session.destroy();
  for (const socket of connections.upgraded) socket.destroy();
  // An upgraded connection that we never saw must not keep this from resolving.
  await Promise.race([closed, delay(GRACE_MS)]);
}

/** Takes the place of whatever serves requests, framework or not. What is for special requests falls to those for all. */
function refuseAll(server: DrainableServer): void {
  for (const event of ["request", "checkContinue", "checkExpectation", "upgrade", "connect"])
    server.removeAllListeners(event);
  server.on("request", refuse);
  if (!isHttp2(server)) return;
  // The compatibility API is one of the listeners here: `request` is then only emitted for HTTP/1.
  server.removeAllListeners("stream");
  server.on("stream", refuseStream);
}

function isHttp2(server: DrainableServer): server is Http2Server | Http2SecureServer {
  return "updateSettings" in server;
}

function refuse(req: NodeRequest, res: NodeResponse): void {
  if (!("stream" in res)) res.setHeader("connection", "close");
  req.resume();
  sendProblem(req, res, REFUSAL, false);
}

function refuseStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const hostResponse = new StreamHostResponse(stream, headers);
  stream.resume();
  hostResponse.send(problemResponse(REFUSAL, false, hostResponse.accept));
}
