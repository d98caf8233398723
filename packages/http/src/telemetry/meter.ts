import type { Histogram, Meter } from "@opentelemetry/api";

/** The name of the meter. */
export const SCOPE = "@throughline/http";

/** The bucket boundaries of the semantic conventions for request durations, in seconds. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Creates a histogram of seconds. */
export function seconds(meter: Meter, name: string, description: string): Histogram {
  return meter.createHistogram(name, { description, unit: "s", advice: { explicitBucketBoundaries: BOUNDARIES } });
}
