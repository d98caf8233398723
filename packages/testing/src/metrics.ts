import { type Attributes, metrics } from "@opentelemetry/api";
import { type Histogram, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";

/** One series of an instrument: what it has measured with one set of attributes. */
export interface RecordedSeries {
  readonly attributes: Attributes;
  /** The total of a counter, the last value of a gauge, the sum of the values of a histogram. */
  readonly value: number;
  /** The number of values of a histogram; `undefined` for other instruments. */
  readonly count: number | undefined;
}

/** What was measured since `recordMetrics`. */
export interface RecordedMetrics extends Disposable {
  /** Returns the series of the instruments of this name. Empty if nothing was measured. */
  series(name: string): Promise<RecordedSeries[]>;
  /**
   * Returns how much was counted in all series that have these attributes, and maybe others: the values of counters,
   * and the number of values of histograms. 0 if nothing was measured.
   */
  total(name: string, attributes?: Attributes): Promise<number>;
  /** Stops recording. A second call does nothing. */
  stop(): void;
}

/**
 * Records all metrics of the process with OpenTelemetry's SDK, until `stop`. Instruments that an application has
 * created before are not recorded, as with any SDK.
 *
 * @throws Error if a meter provider is registered already
 */
export function recordMetrics(): RecordedMetrics {
  const reader = new OnDemandReader();
  const provider = new MeterProvider({ readers: [reader] });
  if (!metrics.setGlobalMeterProvider(provider)) {
    throw new Error("Cannot record metrics: a meter provider is registered already; stop the earlier recording");
  }
  const series = async (name: string): Promise<RecordedSeries[]> => {
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => ({ attributes, ...measured(value) })));
  };
  let isStopped = false;
  const stop = (): void => {
    if (isStopped) return;
    isStopped = true;
    metrics.disable();
    void provider.shutdown();
  };
  return {
    series,
    async total(name, attributes = {}) {
      const wanted = Object.entries(attributes);
      const matching = (await series(name)).filter((each) =>
        wanted.every(([key, value]) => each.attributes[key] === value),
      );
      return matching.reduce((total, { value, count }) => total + (count ?? value), 0);
    },
    stop,
    [Symbol.dispose]: stop,
  };
}

/** Collects only when it is asked. */
class OnDemandReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

function measured(value: number | Pick<Histogram, "count" | "sum">): { value: number; count: number | undefined } {
  return typeof value === "number" ? { value, count: undefined } : { value: value.sum ?? 0, count: value.count };
}
