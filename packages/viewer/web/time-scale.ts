import type { TimeRange } from "../src/analysis/time-axis.ts";

const MAX_TICKS = 8;
/** Pixels for the text of a tick, such as "1 h 30 min". */
const TICK_WIDTH = 66;

/** Maps instants to positions on the time axis, of the whole trace or of the zoomed part. */
export class TimeScale {
  readonly view: TimeRange;
  /** Start of the trace: times are shown relative to it, also if zoomed in. */
  readonly from: number;
  /** Maximum number of ticks. */
  readonly ticks: number;

  /** @param width width of the axis in pixels; unlimited if it is not known yet */
  constructor(view: TimeRange, from: number, width = Infinity) {
    this.view = view;
    this.from = from;
    this.ticks = Math.max(2, Math.min(MAX_TICKS, Math.floor(width / TICK_WIDTH)));
  }

  /** Returns percent of the axis; below 0 or above 100 outside of the view. */
  at(instant: number): number {
    const { from, to } = this.view;
    return ((instant - from) / (to - from)) * 100;
  }
}
