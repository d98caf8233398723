import { type CancelStep, cancelPath } from "../src/analysis/cancel-path.ts";
import { type DeadlineBand, deadlineBands } from "../src/analysis/deadline-band.ts";
import { rootRow } from "../src/analysis/span-facts.ts";
import { type Story, describeTrace } from "../src/analysis/story.ts";
import { type TimeRange, timeRange } from "../src/analysis/time-axis.ts";
import { spanTree, type TreeRow } from "../src/span-tree.ts";
import type { ViewedSpan } from "../src/span.ts";

/** Everything that the pages draw of a trace, computed once. */
export class TracePicture {
  readonly rows: readonly TreeRow[];
  readonly root: ViewedSpan;
  readonly bands: ReadonlyMap<string, DeadlineBand>;
  readonly steps: readonly CancelStep[];
  readonly story: Story;
  readonly range: TimeRange;
  readonly services: readonly string[];
  /** Milliseconds from the first start to the last end. */
  readonly took: number;
  readonly #byId: ReadonlyMap<string, ViewedSpan>;

  /** @param spans at least one */
  constructor(spans: readonly ViewedSpan[]) {
    this.rows = spanTree(spans);
    this.root = rootRow(this.rows)!.span;
    this.bands = deadlineBands(this.rows);
    this.steps = cancelPath(this.rows);
    this.story = describeTrace(spans)!;
    this.range = timeRange(spans, this.bands.values());
    this.services = [...new Set(this.rows.map(({ span }) => span.service))];
    this.took = spans.reduce((last, { end }) => Math.max(last, end), -Infinity) - this.range.from;
    this.#byId = new Map(spans.map((span) => [span.spanId, span]));
  }

  span(spanId: string): ViewedSpan | undefined {
    return this.#byId.get(spanId);
  }
}
