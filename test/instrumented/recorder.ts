import { setTimeout } from "node:timers/promises";

import { type Attributes, metrics, SpanKind, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { type ReadableSpan, TracerProvider } from "@opentelemetry/sdk-trace";

/** An ended SERVER span. */
export interface ServerSpan {
  readonly name: string;
  readonly attributes: Attributes;
  readonly status: number;
  readonly traceId: string;
  /** The name of the tracer that made it. */
  readonly scope: string;
}

/** Counts by key. */
export type Counts = Record<string, number>;

/** The SERVER spans started since they were last taken, ended or not. */
const started: ReadableSpan[] = [];
const reader = new PeriodicExportingMetricReader({
  exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
});

/** Registers recorders for all tracers and meters of the process. */
export function record(): { shutdown(): Promise<void> } {
  const recorder = {
    onStart: (span: ReadableSpan) => void (span.kind === SpanKind.SERVER && started.push(span)),
    onEnd: () => {},
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [recorder] }));
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  return provider;
}

/** Waits for SERVER spans until all of them have ended. */
export async function takeServerSpans(): Promise<ServerSpan[]> {
  while (started.length === 0 || !started.every((span) => span.ended)) await setTimeout(1);
  return started.splice(0).map((span) => ({
    name: span.name,
    attributes: span.attributes,
    status: span.status.code,
    traceId: span.spanContext().traceId,
    scope: span.instrumentationScope.name,
  }));
}

/** The counts of a metric, by instrumentation scope or by an attribute. */
export async function count(name: string, by: "scope" | { readonly attribute: string }): Promise<Counts> {
  const { resourceMetrics } = await reader.collect();
  const counts: Counts = {};
  for (const { scope, metrics } of resourceMetrics.scopeMetrics) {
    for (const { descriptor, dataPoints } of metrics) {
      if (descriptor.name !== name) continue;
      for (const { attributes, value } of dataPoints) {
        const key = by === "scope" ? scope.name : String(attributes[by.attribute]);
        counts[key] = (counts[key] ?? 0) + (typeof value === "number" ? value : (value as { count: number }).count);
      }
    }
  }
  return counts;
}
