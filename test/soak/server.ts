// Runs the servers under test in their own process. The parent process controls them with messages and requests
// reports.
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";

import { EndCounter } from "./end-counter.ts";
import { type HeldResources, heldResources } from "./held-resources.ts";
import { expressApp, http2Listener, streamListener } from "./hosts.ts";

/** The port of each server. */
export interface Ports {
  readonly express: number;
  readonly http2: number;
  readonly streams: number;
}

/** A report of the server process. */
export interface Report {
  readonly held: HeldResources;
  readonly started: number;
  readonly ended: number;
  readonly endCounts: EndCounter["counts"];
  /** The longest delay of the event loop since the last report, in milliseconds. Deadlines are late by it. */
  readonly stall: number;
  /** Uncaught errors and warnings, with their number. */
  readonly failures: Readonly<Record<string, number>>;
}

const failures: Record<string, number> = {};
function note(what: string, error: unknown): void {
  const text = error instanceof Error ? error.stack!.split("\n", 4).join(" ") : String(error);
  failures[`${what}: ${text}`] = (failures[`${what}: ${text}`] ?? 0) + 1;
}
process.on("uncaughtException", (error) => note("uncaught exception", error));
process.on("unhandledRejection", (reason) => note("unhandled rejection", reason));
process.on("warning", (warning) => {
  // `queryObjects`, which counts objects in the report, is experimental.
  if (warning.name !== "ExperimentalWarning") note("warning", warning);
});

const counter = EndCounter.register();
const onHttp1 = http.createServer(expressApp());
const onHttp2 = http2.createServer().on("request", http2Listener());
const onStreams = http2.createServer().on("stream", streamListener());
const servers = [onHttp1, onHttp2, onStreams];

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const loop = monitorEventLoopDelay({ resolution: 5 });
loop.enable();

async function report(isThorough: boolean): Promise<Report> {
  const stall = loop.max / 1e6;
  const held = await heldResources(servers, isThorough);
  loop.reset();
  return { held, started: counter.started, ended: counter.ended, endCounts: counter.counts, stall, failures };
}

process.on("message", async (message: "report" | "thorough report" | "end") => {
  if (message !== "end") process.send!(await report(message === "thorough report"));
  else {
    for (const server of servers) server.close();
    process.disconnect();
  }
});
const ports: Ports = {
  express: await listen(onHttp1),
  http2: await listen(onHttp2),
  streams: await listen(onStreams),
};
process.send!(ports);
