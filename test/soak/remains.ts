import { IncomingMessage, ServerResponse } from "node:http";
import { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { queryObjects } from "node:v8";

import { Context } from "@throughline/context";
import { armedDeadlines } from "@throughline/context/internal";
import { type DrainableServer } from "@throughline/http";
import { activeRequestsOf, ServerRequest } from "@throughline/http/adapter";

import { Scope } from "../../packages/context/dist/scope.js";
import { connectionsOf as connectionsToDrain } from "../../packages/http/dist/node/connections.js";

/** What a server holds when there is nothing to do. */
export interface Remains {
  /** Requests that it takes for running, sessions that it takes for open, deadlines that somebody waits for, open connections. */
  readonly exchanges: number;
  readonly sessions: number;
  readonly deadlines: number;
  readonly connections: number;
  /** What Node says keeps the process alive, without the pipes to whoever started it. */
  readonly resources: string;
  /** How many objects of a kind are alive, where that was to be counted. */
  readonly alive: Readonly<Record<string, number>>;
  /** Bytes of the heap in use. */
  readonly heap: number;
}

const WATCHED = [
  Context,
  Scope,
  ServerRequest,
  IncomingMessage,
  ServerResponse,
  Http2ServerRequest,
  Http2ServerResponse,
  AbortSignal,
];

/** How long it may take for all to be over, in milliseconds. */
const MOST = 5000;

/**
 * What is left once all is over, or has been waited for in vain, and what can be collected was.
 *
 * @param isThorough also counts objects, which takes a second or two
 */
export async function remainsOf(servers: readonly DrainableServer[], isThorough: boolean): Promise<Remains> {
  let counts = await count(servers);
  for (let waited = 0; waited < MOST && Object.values(counts).some((each) => each > 0); waited += 50) {
    await delay(50);
    counts = await count(servers);
  }
  // Handlers that do not listen are still to end. And the timer with which Node takes a new date each second holds the stores of a request.
  await delay(1200);
  for (let i = 0; i < 6; i++) {
    await new Promise(setImmediate);
    globalThis.gc!();
  }
  return {
    ...counts,
    resources: resources().join(" "),
    heap: process.memoryUsage().heapUsed,
    alive: Object.fromEntries(
      (isThorough ? WATCHED : []).map((type) => [type.name, queryObjects(type, { format: "count" })]),
    ),
  };
}

type Counts = Pick<Remains, "exchanges" | "sessions" | "deadlines" | "connections">;

async function count(servers: readonly DrainableServer[]): Promise<Counts> {
  const active = servers.map(activeRequestsOf);
  const connections = await Promise.all(servers.map(connectionsOf));
  return {
    exchanges: sum(active.map(({ count }) => count)),
    sessions: sum(servers.map((each) => connectionsToDrain(each).sessions.size)),
    deadlines: armedDeadlines(),
    connections: sum(connections),
  };
}

function connectionsOf(server: Pick<Server, "getConnections">): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => !/^(?:Pipe|TTY)/.test(name))
    .sort();
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
