import { once } from "node:events";
import type { Server } from "node:http";
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
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

const REFUSAL = problemOf(new ServerDraining())!;

/**
 * Ends a server without losing a request: it takes no more connections; requests that still come over those there are get 503 with
 * `Retry-After`, and nothing of them is run; those that run go on until they are done, or for as long as `within` says, and what they
 * call is told that there is no more time than that. Their contexts are then cancelled, with `ServerDraining` as the cause; they have a moment to
 * answer that, and are answered for if they do not.
 *
 * @returns a promise that resolves when the last connection is closed, but for those that were upgraded; a second call gives the first one's
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
  if (traffic.drained === undefined && !server.listening) return Promise.resolve();
  return (traffic.drained ??= drainWithin(server, traffic, ms));
}

async function drainWithin(server: DrainableServer, traffic: Traffic, ms: number): Promise<void> {
  refuseAll(server);
  const until = performance.now() + ms;
  for (const exchange of traffic) exchange.declaredAt = Math.min(exchange.declaredAt, until);
  const closed = once(server, "close");
  const idle = untilIdle(server, traffic);
  server.close();
  for (const session of traffic.sessions) session.close();

  const abort = new AbortController();
  const late = delay(ms, "late", { signal: abort.signal }).catch(() => undefined);
  if ((await Promise.race([closed, idle, late])) === "late") await haveTheLastWord(() => [...traffic], closed);
  abort.abort();
  await closeAll(server, traffic, closed);
}

/** Resolves when nothing runs any more. Until then connections are closed as they fall idle: some clients would keep them for minutes. */
function untilIdle(server: DrainableServer, traffic: Traffic): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if ("closeIdleConnections" in server) server.closeIdleConnections();
      if (traffic.count === 0) resolve();
    };
    // The response that has just ended leaves its connection idle a moment later.
    traffic.onLeave = () => void setImmediate(look);
    look();
  });
}

/** Cancels what still runs, which has a moment to answer that, and answers for what does not. */
export async function haveTheLastWord(running: () => readonly Exchange[], closed: Promise<unknown>): Promise<void> {
  const draining = new ServerDraining();
  for (const exchange of running()) exchange.cancel(draining);
  await Promise.race([closed, delay(LAST_WORD)]);
  for (const exchange of running()) exchange.answerFor(draining);
}

/** Closes what connections there are, once what was answered on them has had a moment to be sent. */
async function closeAll(server: DrainableServer, traffic: Traffic, closed: Promise<unknown>): Promise<void> {
  await Promise.race([closed, delay(LAST_WORD)]);
  if ("closeAllConnections" in server) server.closeAllConnections();
  for (const session of traffic.sessions) session.destroy();
  // A connection that was upgraded is nobody's to close but its owner's: it must not keep this from ending.
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
