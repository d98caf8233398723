import { type CancelStep, cancelPath } from "../src/analysis/cancel-path.ts";
import { clockShifts, correctClocks } from "../src/analysis/clock-skew.ts";
import { type DeadlineBand, deadlineBands } from "../src/analysis/deadline-band.ts";
import { rootRow } from "../src/analysis/span-facts.ts";
import { SpanSearch } from "../src/analysis/span-search.ts";
import { criticalPath, selfTimes } from "../src/analysis/span-times.ts";
import { type Story, describeTrace } from "../src/analysis/story.ts";
import { type TimeRange, timeRange } from "../src/analysis/time-axis.ts";
import { type TraceWarning, traceWarnings } from "../src/analysis/trace-warnings.ts";
import { spanTree, type TreeRow } from "../src/span-tree.ts";
import type { ViewedSpan } from "../src/span.ts";

export interface PictureOptions {
  /** Number of spans of the trace that the store has dropped. */
  readonly dropped?: number | undefined;
  /** @default true */
  readonly correctsClocks?: boolean;
}

/** Everything that the pages draw of a trace, computed once. */
export class TracePicture {
  readonly rows: readonly TreeRow[];
  readonly root: ViewedSpan;
  readonly bands: ReadonlyMap<string, DeadlineBand>;
  readonly steps: readonly CancelStep[];
  readonly story: Story;
  readonly range: TimeRange;
  readonly services: readonly string[];
  readonly warnings: readonly TraceWarning[];
  /** Corrections of clocks in milliseconds, by span id; empty if there are none or they are switched off. */
  readonly shifts: ReadonlyMap<string, number>;
  /** The failed spans, from the first row to the last. */
  readonly failed: readonly ViewedSpan[];
  readonly search: SpanSearch;
  /** Milliseconds from the first start to the last end. */
  readonly took: number;
  readonly #byId: ReadonlyMap<string, ViewedSpan>;
  #selfTimes: ReadonlyMap<string, number> | undefined;
  #critical: ReadonlySet<string> | undefined;

  /** @param given at least one span */
  constructor(given: readonly ViewedSpan[], { dropped = 0, correctsClocks = true }: PictureOptions = {}) {
    let [spans, rows] = [given, spanTree(given)];
    const shifts = clockShifts(rows);
    this.shifts = correctsClocks ? shifts : new Map();
    if (this.shifts.size > 0) {
      spans = correctClocks(rows);
      rows = spanTree(spans);
    }
    this.rows = rows;
    this.root = rootRow(rows)!.span;
    this.bands = deadlineBands(rows);
    this.steps = cancelPath(rows);
    this.story = describeTrace(spans)!;
    this.range = timeRange(spans, this.bands.values());
    this.services = [...new Set(rows.map(({ span }) => span.service))];
    this.warnings = traceWarnings(rows, { dropped, shifts });
    this.failed = rows.flatMap(({ span }) => (span.failed ? [span] : []));
    this.search = new SpanSearch(rows.map(({ span }) => span));
    this.took = spans.reduce((last, { start, end }) => Math.max(last, start, end), -Infinity) - this.range.from;
    this.#byId = new Map(spans.map((span) => [span.spanId, span]));
  }

  span(spanId: string): ViewedSpan | undefined {
    return this.#byId.get(spanId);
  }

  /** Milliseconds of each span during which none of its children ran. */
  get selfTimes(): ReadonlyMap<string, number> {
    return (this.#selfTimes ??= selfTimes(this.rows));
  }

  get critical(): ReadonlySet<string> {
    return (this.#critical ??= criticalPath(this.rows));
  }
}
