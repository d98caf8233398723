import type { TimeRange } from "../src/analysis/time-axis.ts";

/** Where instants are on the time axis: of the whole trace, or of the part of it that is zoomed to. */
export class TimeScale {
  readonly view: TimeRange;
  /** When the trace began: times are told from there, whatever is in view. */
  readonly from: number;

  constructor(view: TimeRange, from: number) {
    this.view = view;
    this.from = from;
  }

  /** In percent of the axis: also beyond its ends. */
  at(instant: number): number {
    const { from, to } = this.view;
    return ((instant - from) / (to - from)) * 100;
  }
}
