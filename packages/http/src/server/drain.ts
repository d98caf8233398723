import { once } from "node:events";
import type { Server } from "node:http";
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Server as NetServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { describe, type Duration, milliseconds, refuseUnknown } from "@throughline/context";

import { ServerDraining } from "../errors.ts";
import { type Traffic, trafficOf } from "../node/node-traffic.ts";
import type { NodeRequest, NodeResponse } from "../node/node-types.ts";
import { sendProblem } from "../node/node.ts";
import { StreamReply } from "../node/stream-reply.ts";
import { answerOf } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { problemOf } from "./problem.ts";

/** Servers of Node that can be drained. */
export type DrainableServer = Server | Http2Server | Http2SecureServer;

export interface DrainOptions {
  /** How long requests that are running may go on. What is then left is cancelled, has a moment to answer, and is cut off. */
  within: Duration;
}

/** How long a request may take to answer that it was cancelled, in milliseconds. */
export const LAST_WORD = 500;

/**
 * How long connections that are idle stay open, in milliseconds. A request may be on its way over one of them; those that are in use learn meanwhile,
 * by `Connection: close` on their next response, that there will be no other.
 */
const IDLE_GRACE = 500;

const REFUSAL = problemOf(new ServerDraining())!;

/**
 * Ends a server without losing a request: it accepts no more connections; requests that still come over open ones get 503 with `Retry-After`, and
 * nothing of them is run; those that run go on until they are done, or for as long as `within` says, and services that they call are given no more
 * time than that. Each response closes its connection, and idle connections are closed a little later. Contexts of requests that are left at the end
 * are cancelled, with `ServerDraining` as the cause; they have a moment to answer that, and are answered for if they do not. Then connections that were
 * upgraded are ended too: close them yourself before, if their protocol has a word for it.
 *
 * @returns a promise that resolves when the last connection is closed; a second call gives the first one's
 * @throws TypeError, RangeError if an argument is wrong
 */
export function drain(server: DrainableServer, { within, ...others }: DrainOptions): Promise<void> {
  refuseUnknown(others, "drain a server");
  const ms = milliseconds(within, "drain a server", "within");
  if (typeof server?.close !== "function" || typeof server.on !== "function") {
    throw new TypeError(
      `Cannot drain a server: it must be one of node:http or node:http2: current value is ${describe(server)}`,
    );
  }
  const traffic = trafficOf(server);
  // One that does not listen may still serve connections that another server hands over.
  const isUnused = !server.listening && traffic.count === 0 && traffic.sessions.size === 0;
  if (traffic.drained === undefined && isUnused) return Promise.resolve();
  return (traffic.drained ??= drainWithin(server, traffic, ms));
}

async function drainWithin(server: DrainableServer, traffic: Traffic, ms: number): Promise<void> {
  refuseAll(server);
  const until = performance.now() + ms;
  const closing = new Set<object>();
  for (const exchange of traffic) {
    exchange.declaredAt = Math.min(exchange.declaredAt, until);
    // Of several responses that one connection waits for, the last closes it, which is listed first.
    const { connection = exchange } = exchange;
    if (!closing.has(connection)) exchange.response?.closeConnection?.();
    closing.add(connection);
  }
  const isListening = server.listening;
  const closed = isListening ? once(server, "close") : Promise.resolve();
  // Not by its own `close`, which has idle connections closed at once, and with them the requests that are on their way.
  if (isListening) NetServer.prototype.close.call(server);
  for (const session of traffic.sessions) session.close();

  const idle = traffic.untilIdle();
  const abort = new AbortController();
  const late = delay(ms, "late", { signal: abort.signal }).catch(() => undefined);
  // Connections that another server hands over are not among those that are closed: they show by what runs.
  const done = Promise.all([idle, isListening ? Promise.race([closed, delay(IDLE_GRACE)]) : delay(IDLE_GRACE)]);
  if ((await Promise.race([done, late])) === "late") await haveTheLastWord(() => [...traffic], done);
  abort.abort();
  await closeAll(server, traffic, closed);
}

/** Cancels what still runs, which has a moment to answer that, and answers for what does not. */
export async function haveTheLastWord(running: () => readonly Exchange[], done: Promise<unknown>): Promise<void> {
  const draining = new ServerDraining();
  for (const exchange of running()) exchange.cancel(draining);
  await Promise.race([done, delay(LAST_WORD)]);
  for (const exchange of running()) exchange.answerFor(draining);
}

/** Closes what connections there are, once what was answered on them has had a moment to be sent. */
async function closeAll(server: DrainableServer, traffic: Traffic, closed: Promise<unknown>): Promise<void> {
  server.close();
  for (const socket of traffic.upgraded) socket.end();
  await Promise.race([Promise.all([closed, traffic.untilClosed()]), delay(LAST_WORD)]);
  if ("closeAllConnections" in server) server.closeAllConnections();
  for (const session of traffic.sessions) session.destroy();
  for (const socket of traffic.upgraded) socket.destroy();
  // One that was upgraded where we did not see it must not keep this from ending.
  await Promise.race([closed, delay(LAST_WORD)]);
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
  const reply = new StreamReply(stream, headers);
  stream.resume();
  reply.send(answerOf(REFUSAL, false, reply.accept));
}
