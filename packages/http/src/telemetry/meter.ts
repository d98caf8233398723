import { createNoopMeter, type Histogram, type Meter, metrics } from "@opentelemetry/api";

const NOOP_METER = createNoopMeter();

/**
 * Returns a function that returns the instruments, made on first use and made anew if the meter provider changes. It
 * returns `undefined` without a metrics SDK, so that callers can skip the attributes of measurements.
 */
export function lazyInstruments<T>(make: (meter: Meter) => T): () => T | undefined {
  let cached: { readonly provider: object; readonly instruments: T | undefined } | undefined;
  return () => {
    const provider = metrics.getMeterProvider();
    if (cached?.provider !== provider) {
      const meter = provider.getMeter("@throughline/http");
      cached = { provider, instruments: meter === NOOP_METER ? undefined : make(meter) };
    }
    return cached.instruments;
  };
}

/** The bucket boundaries of the semantic conventions for request durations, in seconds. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Creates a histogram of seconds. */
export function seconds(meter: Meter, name: string, description: string): Histogram {
  return meter.createHistogram(name, { description, unit: "s", advice: { explicitBucketBoundaries: BOUNDARIES } });
}
