import { setTimeout } from "node:timers/promises";

import { type Attributes, metrics, SpanKind, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { type ReadableSpan, TracerProvider } from "@opentelemetry/sdk-trace";

/** A SERVER span, as it ended. */
export interface ServerSpan {
  readonly name: string;
  readonly attributes: Attributes;
  readonly status: number;
  readonly traceId: string;
  /** The name of the tracer that made it. */
  readonly scope: string;
}

/** How many were counted, by something. */
export type Counts = Record<string, number>;

/** The SERVER spans that were started since they were last taken: those that nobody ends count too. */
const started: ReadableSpan[] = [];
const reader = new PeriodicExportingMetricReader({
  exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
});

/** Records what any tracer and any meter of the process tell. */
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

/** Waits until there are SERVER spans, and all of them have ended. */
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

/** How many were told of by a metric, by who told or by an attribute. */
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
