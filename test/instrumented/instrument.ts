import type { RequestListener } from "node:http";

import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { ExpressInstrumentation } from "@opentelemetry/instrumentation-express";
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http";
import { KoaInstrumentation } from "@opentelemetry/instrumentation-koa";

import { Rewriting } from "../support/rewriting-manager.ts";
import type { Setup } from "./setups.ts";

const instrumentation = { http: HttpInstrumentation, express: ExpressInstrumentation, koa: KoaInstrumentation };

/** Registers OpenTelemetry. Call it before the instrumented modules are loaded. */
export function instrument({ instrumentations, manager }: Setup): void {
  if (manager !== "none") {
    const made = manager === "rewriting" ? new Rewriting() : new AsyncLocalStorageContextManager();
    context.setGlobalContextManager(made.enable());
  }
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  registerInstrumentations({ instrumentations: instrumentations.map((name) => new instrumentation[name]()) });
}

/** Activates a SERVER span around the listener, without the metadata that instrumentations set in the context. */
export function around(listener: RequestListener): RequestListener {
  const tracer = trace.getTracer("around");
  return (req, res) => {
    const caller = propagation.extract(ROOT_CONTEXT, req.headers);
    const span = tracer.startSpan("GET", { kind: SpanKind.SERVER }, caller);
    res.once("close", () => span.end());
    context.with(trace.setSpan(caller, span), listener, undefined, req, res);
  };
}
