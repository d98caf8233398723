import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, beforeEach } from "vitest";

/** One series of an instrument: its attributes and its data. */
export interface Series {
  readonly attributes: Record<string, unknown>;
  readonly count: number;
  /** `undefined` for counters. */
  readonly sum: number | undefined;
}

/** Collects metrics during each test of the suite. Returns a reader of the series of an instrument. */
export function measureDuringEach(): (name: string) => Promise<Series[]> {
  let exporter: InMemoryMetricExporter;
  let provider: MeterProvider;
  beforeEach(() => {
    exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
    metrics.setGlobalMeterProvider(provider);
  });
  afterEach(async () => {
    metrics.disable();
    await provider.shutdown();
  });
  return async (name) => {
    exporter.reset();
    await provider.forceFlush();
    const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    return all
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => ({ attributes, ...measured(value) })));
  };
}

function measured(value: unknown): { count: number; sum: number | undefined } {
  return typeof value === "number" ? { count: value, sum: undefined } : (value as { count: number; sum: number });
}

/** The attributes and the value of a counter. */
export type Count = readonly [attributes: Record<string, unknown>, count: number];

/** Collects metrics during each test of the suite. Returns a reader of a counter. */
export function countDuringEach(): (name: string) => Promise<Count[]> {
  const series = measureDuringEach();
  return async (name) => (await series(name)).map(({ attributes, count }) => [attributes, count]);
}
