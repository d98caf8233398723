// The servers under test, in a process of their own: they do as they are told by messages, and tell what they hold.
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";

import { Endings } from "./endings.ts";
import { expressApp, http2Listener, streamListener } from "./hosts.ts";
import { type Remains, remainsOf } from "./remains.ts";

export interface Ports {
  readonly express: number;
  readonly http2: number;
  readonly streams: number;
}

/** What the server says when it is asked. */
export interface Report {
  readonly remains: Remains;
  readonly begun: number;
  readonly over: number;
  readonly endings: Endings["counts"];
  /** The longest that the process has stood still since the last report, in milliseconds. Where that is long, deadlines are late. */
  readonly stall: number;
  /** What nobody has caught, and warnings: each with how often. */
  readonly failures: Readonly<Record<string, number>>;
}

const failures: Record<string, number> = {};
function note(what: string, error: unknown): void {
  const told = error instanceof Error ? error.stack!.split("\n", 4).join(" ") : String(error);
  failures[`${what}: ${told}`] = (failures[`${what}: ${told}`] ?? 0) + 1;
}
process.on("uncaughtException", (error) => note("nobody caught", error));
process.on("unhandledRejection", (reason) => note("nobody handled", reason));
process.on("warning", (warning) => {
  // `queryObjects`, which the end is looked at with, is said to be one.
  if (warning.name !== "ExperimentalWarning") note("warning", warning);
});

const endings = Endings.record();
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
  const remains = await remainsOf(servers, isThorough);
  loop.reset();
  return { remains, begun: endings.begun, over: endings.over, endings: endings.counts, stall, failures };
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
