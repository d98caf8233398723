// One application, in one of the ways that are compared: a process of its own, which tells what it has used.
import { once } from "node:events";
import type { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";

import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { type Instrumentation, registerInstrumentations } from "@opentelemetry/instrumentation";
import { ExpressInstrumentation } from "@opentelemetry/instrumentation-express";
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http";
import { KoaInstrumentation } from "@opentelemetry/instrumentation-koa";
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";

import { applications, type Framework } from "./applications.ts";

export type Variant =
  | "bare"
  | "ours"
  | "ours, with a recorded span"
  | "OpenTelemetry http"
  | "OpenTelemetry http + framework";

const [framework, variant] = process.argv.slice(2) as [Framework, Variant];
const isOurs = variant.startsWith("ours");

/** Takes spans and does nothing with them, so that only making them is measured. */
const nowhere: SpanExporter = { export: (_spans, done) => done({ code: 0 }), shutdown: () => Promise.resolve() };

const ofFramework: Partial<Record<Framework, () => Instrumentation>> = {
  express: () => new ExpressInstrumentation(),
  koa: () => new KoaInstrumentation(),
};

if (variant !== "bare" && variant !== "ours") {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const tracerProvider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: nowhere })] });
  trace.setGlobalTracerProvider(tracerProvider);
  const instrumentations = variant.startsWith("OpenTelemetry")
    ? [new HttpInstrumentation(), ...(variant.endsWith("framework") ? [ofFramework[framework]!()] : [])]
    : [];
  registerInstrumentations({ tracerProvider, instrumentations });
}

// Required, not imported: instrumentations patch what is required.
const require = createRequire(import.meta.url);
const http = require("node:http") as { createServer: typeof createServer };

const server = http.createServer(await applications[framework](isOurs)).listen(0, "127.0.0.1");
await once(server, "listening");
process.send!({ port: (server.address() as AddressInfo).port });

let before = process.cpuUsage();
process.on("message", (message) => {
  // Nothing is collected by force: that would take the hidden classes of requests away, as none is alive, and the compiled code that rests on
  // them; for seconds after, compilers would be measured.
  if (message === "begin") {
    before = process.cpuUsage();
    process.send!({ begun: true });
  } else {
    const { user, system } = process.cpuUsage(before);
    process.send!({ cpu: user + system, rss: process.memoryUsage.rss() });
  }
});
process.once("disconnect", () => process.exit(0));
