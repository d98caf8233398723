import { spanTree, type TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { type CancelStep, cancelPath } from "./cancel-path.ts";
import { type DeadlineBand, deadlineBands, originOf } from "./deadline-band.ts";
import { enderOf, rootRow } from "./span-facts.ts";

/** What the description of a trace is derived from. */
export interface StoryFacts {
  readonly rows: readonly TreeRow[];
  readonly root: ViewedSpan;
  readonly bands: ReadonlyMap<string, DeadlineBand>;
  readonly steps: readonly CancelStep[];
}

/** Returns `undefined` if there are no spans. */
export function storyFacts(spans: readonly ViewedSpan[]): StoryFacts | undefined {
  const rows = spanTree(spans);
  const root = rootRow(rows)?.span;
  return root && { rows, root, bands: deadlineBands(rows), steps: cancelPath(rows) };
}

export function callerName({ parentSpanId }: ViewedSpan): string {
  return parentSpanId === undefined ? "The visitor" : "The caller";
}

/** Returns the deadline that passed first, at the deepest hop where it applied. */
export function firstDeadline({ rows, bands }: StoryFacts): DeadlineBand | undefined {
  const late = rows.flatMap(({ span }) => (enderOf(span) === "deadline" ? (bands.get(span.spanId) ?? []) : []));
  if (late.length === 0) return undefined;
  const first = late.reduce((earliest, band) => (band.at < earliest.at ? band : earliest));
  const origin = originOf(first);
  return late.findLast((band) => originOf(band) === origin)!;
}

/** Describes where the time was spent: in a service, or while it waited for another. */
export function locationText(span: ViewedSpan, rows: readonly TreeRow[]): string {
  if (span.kind !== "client") return `in ${span.service}`;
  return `while ${span.service} waited for ${calleeOf(span, rows)?.service ?? span.name}`;
}

function calleeOf({ spanId }: ViewedSpan, rows: readonly TreeRow[]): ViewedSpan | undefined {
  const index = rows.findIndex(({ span }) => span.spanId === spanId);
  const next = rows[index + 1];
  return next !== undefined && next.span.parentSpanId === spanId ? next.span : undefined;
}
