import { createNoopMeter, type Histogram, type Meter, metrics } from "@opentelemetry/api";

const nothing = createNoopMeter();

/**
 * Instruments that are made when somebody measures, and made anew when that is somebody else. What it returns gives `undefined` where nobody
 * does, so that nobody need describe what will not be measured.
 */
export function instruments<T>(make: (meter: Meter) => T): () => T | undefined {
  let known: { readonly provider: object; readonly made: T | undefined } | undefined;
  return () => {
    const provider = metrics.getMeterProvider();
    if (known?.provider !== provider) {
      const meter = provider.getMeter("@throughline/http");
      known = { provider, made: meter === nothing ? undefined : make(meter) };
    }
    return known.made;
  };
}

/** As the conventions ask for the duration of requests. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** A histogram of seconds. */
export function seconds(meter: Meter, name: string, description: string): Histogram {
  return meter.createHistogram(name, { description, unit: "s", advice: { explicitBucketBoundaries: BOUNDARIES } });
}
