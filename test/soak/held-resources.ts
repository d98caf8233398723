import { IncomingMessage, ServerResponse } from "node:http";
import { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { queryObjects } from "node:v8";

import { Context } from "@throughline/context";
import { armedDeadlines, Scope } from "@throughline/context/internal";
import { type DrainableServer } from "@throughline/http";
import { activeRequestsOf, connectionsOf, ServerRequest } from "@throughline/http/adapter";

/** The resources that idle servers hold. */
export interface HeldResources {
  /** Active requests, open sessions, armed deadlines, open connections. */
  readonly requests: number;
  readonly sessions: number;
  readonly deadlines: number;
  readonly connections: number;
  /** Node's list of what keeps the process alive, without the pipes to the parent process. */
  readonly resources: string;
  /** Live objects by class; empty unless the report is thorough. */
  readonly alive: Readonly<Record<string, number>>;
  /** Used bytes of the heap. */
  readonly heap: number;
}

const COUNTED = [
  Context,
  Scope,
  ServerRequest,
  IncomingMessage,
  ServerResponse,
  Http2ServerRequest,
  Http2ServerResponse,
  AbortSignal,
];

/** The longest wait until all requests have ended, in milliseconds. */
const IDLE_MS = 5000;

/**
 * Waits until the servers are idle, collects garbage and returns what the servers still hold.
 *
 * @param isThorough also counts objects, which takes one or two seconds
 */
export async function heldResources(servers: readonly DrainableServer[], isThorough: boolean): Promise<HeldResources> {
  let counts = await count(servers);
  for (let waited = 0; waited < IDLE_MS && Object.values(counts).some((each) => each > 0); waited += 50) {
    await delay(50);
    counts = await count(servers);
  }
  // Handlers that ignore their context still run, and Node's timer that renews the date each second holds the stores of
  // a request.
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
      (isThorough ? COUNTED : []).map((type) => [type.name, queryObjects(type, { format: "count" })]),
    ),
  };
}

type Counts = Pick<HeldResources, "requests" | "sessions" | "deadlines" | "connections">;

async function count(servers: readonly DrainableServer[]): Promise<Counts> {
  const active = servers.map(activeRequestsOf);
  const connections = await Promise.all(servers.map(openConnections));
  return {
    requests: sum(active.map(({ count }) => count)),
    sessions: sum(servers.map((each) => connectionsOf(each).sessions.size)),
    deadlines: armedDeadlines(),
    connections: sum(connections),
  };
}

function openConnections(server: Pick<Server, "getConnections">): Promise<number> {
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
