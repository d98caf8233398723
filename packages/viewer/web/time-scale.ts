import type { TimeRange } from "../src/analysis/time-axis.ts";

/** Maps instants to positions on the time axis, of the whole trace or of the zoomed part. */
export class TimeScale {
  readonly view: TimeRange;
  /** Start of the trace: times are shown relative to it, also if zoomed in. */
  readonly from: number;

  constructor(view: TimeRange, from: number) {
    this.view = view;
    this.from = from;
  }

  /** Returns percent of the axis; below 0 or above 100 outside of the view. */
  at(instant: number): number {
    const { from, to } = this.view;
    return ((instant - from) / (to - from)) * 100;
  }
}
