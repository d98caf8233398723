import { once } from "node:events";
import type { Server } from "node:http";
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";

import { describe, type Duration, milliseconds, refuseUnknown } from "@throughline/context";

import { answerOf } from "./answer.ts";
import { ServerDraining } from "./errors.ts";
import { type Traffic, trafficOf } from "./node-traffic.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import { sendProblem } from "./node.ts";
import { problemOf } from "./problem.ts";
import { StreamReply } from "./stream-reply.ts";

/** Servers of Node that can be drained. */
export type DrainableServer = Server | Http2Server | Http2SecureServer;

export interface DrainOptions {
  /** How long requests that are running may go on. What is then left is cancelled, has a moment to answer, and is cut off. */
  within: Duration;
}

/** How long a request may take to answer that it was cancelled, in milliseconds. */
const LAST_WORD = 500;

const REFUSAL = problemOf(new ServerDraining())!;

/**
 * Ends a server without losing a request: it takes no more connections; requests that still come over those there are get 503 with
 * `Retry-After`, and nothing of them is run; those that run go on until they are done, or for as long as `within` says, and what they
 * call is told that there is no more time than that. Their contexts are then cancelled, with `ServerDraining` as the cause; they have a moment to
 * answer that, and are answered for if they do not.
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
  return (traffic.drained ??= drainWithin(server, traffic, ms));
}

async function drainWithin(server: DrainableServer, traffic: Traffic, ms: number): Promise<void> {
  if (!server.listening) return;
  refuseAll(server);
  const until = performance.now() + ms;
  for (const exchange of traffic.exchanges) exchange.declaredAt = Math.min(exchange.declaredAt, until);
  const closed = once(server, "close");
  server.close();
  if ("closeIdleConnections" in server) server.closeIdleConnections();
  for (const session of traffic.sessions) session.close();

  const abort = new AbortController();
  const late = delay(ms, "late", { signal: abort.signal }).catch(() => undefined);
  if ((await Promise.race([closed, late])) === "late") await cutOff(server, traffic, closed);
  abort.abort();
}

async function cutOff(server: DrainableServer, traffic: Traffic, closed: Promise<unknown>): Promise<void> {
  const draining = new ServerDraining();
  for (const exchange of traffic.exchanges) exchange.cancel(draining);
  await Promise.race([closed, delay(LAST_WORD)]);
  for (const exchange of traffic.exchanges) exchange.answerFor?.(draining);
  // What was just answered is on its way.
  await Promise.race([closed, delay(LAST_WORD)]);
  if ("closeAllConnections" in server) server.closeAllConnections();
  for (const session of traffic.sessions) session.destroy();
  await closed;
}

/** Takes the place of whatever serves requests, framework or not. */
function refuseAll(server: DrainableServer): void {
  server.removeAllListeners("request");
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
  if (!reply.isClosed) reply.send(answerOf(REFUSAL, false, reply.accept));
}
