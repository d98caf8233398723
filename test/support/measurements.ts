import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, beforeEach } from "vitest";

/** One series: the attributes that it has, and what was measured. */
export interface Series {
  readonly attributes: Record<string, unknown>;
  readonly count: number;
  /** Absent for what only counts. */
  readonly sum: number | undefined;
}

/** Measures during each test of the suite; gives the series of an instrument. */
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

/** What was counted: the attributes, and how often. */
export type Count = readonly [attributes: Record<string, unknown>, count: number];

/** Counts during each test of the suite; gives what a counter of this name has counted. */
export function countDuringEach(): (name: string) => Promise<Count[]> {
  const series = measureDuringEach();
  return async (name) => (await series(name)).map(({ attributes, count }) => [attributes, count]);
}
