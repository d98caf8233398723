import type { ViewedSpan } from "../span.ts";
import type { DeadlineBand } from "./deadline-band.ts";

/** The time that a waterfall shows, in milliseconds since the epoch. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

/** How far beyond the end of the trace a deadline may lie and still be worth the room. */
const WORTH = 1.5;

/** From the first start to the last end; a deadline that is not far off is shown too. */
export function timeRange(spans: readonly ViewedSpan[], bands: Iterable<DeadlineBand>): TimeRange {
  let [from, end] = [Infinity, -Infinity];
  for (const span of spans) {
    from = Math.min(from, span.start);
    end = Math.max(end, span.end);
  }
  if (from === Infinity) return { from: 0, to: 1 };
  const took = Math.max(end - from, 0.001);
  let to = from + took;
  for (const { at } of bands) if (at <= from + took * WORTH) to = Math.max(to, at);
  return { from, to };
}

/** Round times in a view of so many milliseconds, that begins so long after the start; one at least where it begins there. */
export function ticks(took: number, after: number, atMost: number): number[] {
  if (!(took > 0) || atMost < 1) return [after];
  const rough = took / atMost;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * 0.999)!;
  const first = Math.ceil(after / step - 1e-6);
  const last = Math.floor((after + took) / step + 1e-6);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
}
