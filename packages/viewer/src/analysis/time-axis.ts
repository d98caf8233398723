import type { ViewedSpan } from "../span.ts";
import type { DeadlineBand } from "./deadline-band.ts";

/** The time range of a waterfall in milliseconds since the epoch. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

/** A deadline is in the range if it is at most this many durations of the trace after its start. */
const MAX_FACTOR = 1.5;

/** Returns the range from the first start to the last end, or to a deadline shortly after it. */
export function timeRange(spans: readonly ViewedSpan[], bands: Iterable<DeadlineBand>): TimeRange {
  let [from, end] = [Infinity, -Infinity];
  for (const span of spans) {
    from = Math.min(from, span.start);
    end = Math.max(end, span.start, span.end);
  }
  if (from === Infinity) return { from: 0, to: 1 };
  const took = Math.max(end - from, 0.001);
  let to = from + took;
  for (const { at } of bands) if (at <= from + took * MAX_FACTOR) to = Math.max(to, at);
  return { from, to };
}

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];

/** Steps of an axis from a second on, in milliseconds. */
const LONG_STEPS: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12, 24].map((count) => count * HOUR),
];

/**
 * Returns round times for the axis, in milliseconds from the start of the trace.
 *
 * @param took length of the view
 * @param after start of the view
 */
export function ticks(took: number, after: number, atMost: number): number[] {
  if (!(took > 0) || atMost < 1) return [after];
  const step = stepOf((took / atMost) * 0.999);
  const first = Math.ceil(after / step - 1e-6);
  const last = Math.floor((after + took) / step + 1e-6);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
}

function stepOf(least: number): number {
  const long = least > SECOND / 2 ? LONG_STEPS.find((each) => each >= least) : undefined;
  if (long !== undefined) return long;
  // Parts of a second, or days.
  const unit = least > SECOND ? 24 * HOUR : 1;
  const power = 10 ** Math.floor(Math.log10(least / unit)) * unit;
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= least)!;
}
