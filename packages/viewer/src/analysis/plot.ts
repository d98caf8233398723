import { spanTree, type TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { type CancelStep, cancelPath } from "./cancel-path.ts";
import { type DeadlineBand, deadlineBands, originOf } from "./deadline-band.ts";
import { enderOf, rootRow } from "./span-facts.ts";

/** What a story is told from. */
export interface Plot {
  readonly rows: readonly TreeRow[];
  readonly root: ViewedSpan;
  readonly bands: ReadonlyMap<string, DeadlineBand>;
  readonly steps: readonly CancelStep[];
}

/** `undefined` if there are no spans. */
export function plotOf(spans: readonly ViewedSpan[]): Plot | undefined {
  const rows = spanTree(spans);
  const root = rootRow(rows)?.span;
  return root && { rows, root, bands: deadlineBands(rows), steps: cancelPath(rows) };
}

export function whoAsked({ parentSpanId }: ViewedSpan): string {
  return parentSpanId === undefined ? "The visitor" : "The caller";
}

/** The deadline whose clock fired first, at the deepest hop that it held for. */
export function firstDeadline({ rows, bands }: Plot): DeadlineBand | undefined {
  const late = rows.flatMap(({ span }) => (enderOf(span) === "deadline" ? (bands.get(span.spanId) ?? []) : []));
  if (late.length === 0) return undefined;
  const first = late.reduce((earliest, band) => (band.at < earliest.at ? band : earliest));
  const origin = originOf(first);
  return late.findLast((band) => originOf(band) === origin)!;
}

/** Where the time was spent: in a service, or in waiting for another. */
export function whereIn(span: ViewedSpan, rows: readonly TreeRow[]): string {
  if (span.kind !== "client") return `in ${span.service}`;
  return `while ${span.service} waited for ${calledBy(span, rows)?.service ?? span.name}`;
}

function calledBy({ spanId }: ViewedSpan, rows: readonly TreeRow[]): ViewedSpan | undefined {
  const index = rows.findIndex(({ span }) => span.spanId === spanId);
  const next = rows[index + 1];
  return next !== undefined && next.span.parentSpanId === spanId ? next.span : undefined;
}
