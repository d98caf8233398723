import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, vi } from "vitest";

/** The ended spans, as OpenTelemetry's SDK records them. */
export interface Spans {
  ended(): ReadableSpan[];
  /** Waits for this many ended spans and returns all ended spans. */
  take(count: number): Promise<ReadableSpan[]>;
}

/**
 * Registers a tracer provider, a propagator and a context manager of OpenTelemetry's SDK for each test of the suite.
 * `recordSpans` of `@throughline/testing` works without the SDK, so it does not show that ours works with it.
 */
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

/**
 * Registers OpenTelemetry's propagators of trace context and baggage, as its SDK does. Undo with
 * `propagation.disable()`.
 */
export function registerPropagators(): void {
  const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()];
  propagation.setGlobalPropagator(new CompositePropagator({ propagators }));
}
