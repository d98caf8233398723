import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, vi } from "vitest";

/** The spans that have ended, with what OpenTelemetry's SDK knows of them. */
export interface Spans {
  ended(): ReadableSpan[];
  /** Waits for as many spans as asked for, and gives all there are. */
  take(count: number): Promise<ReadableSpan[]>;
}

/** Sets the SDK up around each test of the suite: a provider, a propagator, a context manager. */
export function recordSpans(): Spans {
  const exporter = new InMemorySpanExporter();
  beforeEach(() => {
    exporter.reset();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  });
  afterEach(() => {
    for (const api of [context, propagation, trace]) api.disable();
  });
  return {
    ended: () => exporter.getFinishedSpans(),
    async take(count) {
      await vi.waitUntil(() => exporter.getFinishedSpans().length >= count);
      return exporter.getFinishedSpans();
    },
  };
}
