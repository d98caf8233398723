// A server of one variant in a process of its own. It reports its CPU time and memory.
import { once } from "node:events";
import type { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";

import type { Instrumentation } from "@opentelemetry/instrumentation";
import { ExpressInstrumentation } from "@opentelemetry/instrumentation-express";
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http";
import { KoaInstrumentation } from "@opentelemetry/instrumentation-koa";

import { recordSpans } from "../tracing.ts";
import { applications, type Framework } from "./applications.ts";

export type Variant =
  | "bare"
  | "ours"
  | "ours, with a recorded span"
  | "OpenTelemetry http"
  | "OpenTelemetry http + framework";

const [framework, variant] = process.argv.slice(2) as [Framework, Variant];
const isOurs = variant.startsWith("ours");

/** Fastify and Hono are instrumented by packages of their own authors, which are not compared. */
const instrumentationOf: Partial<Record<Framework, () => Instrumentation>> = {
  express: () => new ExpressInstrumentation(),
  koa: () => new KoaInstrumentation(),
};

if (variant !== "bare" && variant !== "ours") {
  const withFramework = variant.endsWith("framework") ? [instrumentationOf[framework]!()] : [];
  recordSpans(variant.startsWith("OpenTelemetry") ? [new HttpInstrumentation(), ...withFramework] : []);
}

// Required, not imported: instrumentations patch CommonJS modules.
const require = createRequire(import.meta.url);
const http = require("node:http") as { createServer: typeof createServer };

const server = http.createServer(await applications[framework](isOurs)).listen(0, "127.0.0.1");
await once(server, "listening");
process.send!({ port: (server.address() as AddressInfo).port });

let before = process.cpuUsage();
process.on("message", (message) => {
  // No forced garbage collection: without a live request it would discard the hidden classes of requests, and the code
  // compiled for them. The next seconds would measure the compilers.
  if (message === "begin") {
    before = process.cpuUsage();
    process.send!({ begun: true });
  } else {
    const { user, system } = process.cpuUsage(before);
    process.send!({ cpu: user + system, rss: process.memoryUsage.rss() });
  }
});
process.once("disconnect", () => process.exit(0));
