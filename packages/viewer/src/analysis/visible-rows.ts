import type { TreeRow } from "../span-tree.ts";

/** A row with the number of its descendants. */
export interface VisibleRow extends TreeRow {
  readonly below: number;
  readonly isCollapsed: boolean;
  /** Number of failed descendants, if the row is collapsed. */
  readonly failedBelow?: number;
  /** The row stands for a run of equal siblings, this one included. */
  readonly run?: SpanRun;
}

export interface SpanRun {
  readonly count: number;
  readonly failed: number;
  /** End of the last span of the run. */
  readonly end: number;
}

/** Number of equal siblings in a row that are drawn as one. */
const MIN_RUN = 5;

/**
 * Returns the rows without a collapsed ancestor.
 *
 * @param expandedRuns the first span of each run that is shown in full; `undefined` shows all runs in full
 */
export function visibleRows(
  rows: readonly TreeRow[],
  collapsed: ReadonlySet<string>,
  expandedRuns?: ReadonlySet<string>,
): VisibleRow[] {
  const below = countBelow(rows);
  const visible: VisibleRow[] = [];
  for (let index = 0; index < rows.length; index += 1) {
    const { span, depth } = rows[index]!;
    const isCollapsed = below[index]! > 0 && collapsed.has(span.spanId);
    const failedBelow = isCollapsed ? countFailed(rows, index + 1, index + below[index]! + 1) : 0;
    const length = expandedRuns === undefined || expandedRuns.has(span.spanId) ? 1 : runLength(rows, below, index);
    visible.push({
      span,
      depth,
      below: below[index]!,
      isCollapsed,
      ...(failedBelow > 0 ? { failedBelow } : undefined),
      ...(length < MIN_RUN ? undefined : { run: runOf(rows, index, index + length) }),
    });
    if (length >= MIN_RUN) index += length - 1;
    else if (isCollapsed) index += below[index]!;
    // Of an expanded run, do not group the rest again.
    else if (expandedRuns?.has(span.spanId) === true) {
      const end = index + runLength(rows, below, index);
      for (index += 1; index < end; index += 1) visible.push({ ...rows[index]!, below: 0, isCollapsed: false });
      index -= 1;
    }
  }
  return visible;
}

/** Counts the siblings from a row on that have no children and the same service, kind and name. */
function runLength(rows: readonly TreeRow[], below: readonly number[], first: number): number {
  const { span, depth } = rows[first]!;
  let end = first;
  while (end < rows.length && below[end] === 0) {
    const { span: other, depth: level } = rows[end]!;
    if (level !== depth || other.name !== span.name || other.service !== span.service || other.kind !== span.kind)
      break;
    end += 1;
  }
  return Math.max(1, end - first);
}

function runOf(rows: readonly TreeRow[], from: number, to: number): SpanRun {
  let end = -Infinity;
  for (let index = from; index < to; index += 1) end = Math.max(end, rows[index]!.span.end);
  return { count: to - from, failed: countFailed(rows, from, to), end };
}

function countFailed(rows: readonly TreeRow[], from: number, to: number): number {
  let failed = 0;
  for (let index = from; index < to; index += 1) if (rows[index]!.span.failed) failed += 1;
  return failed;
}

/** Returns the spans to collapse so that only some levels of the tree are shown. */
export function collapsedFrom(rows: readonly TreeRow[], levels: number): ReadonlySet<string> {
  const collapsed = new Set<string>();
  for (const [index, { span, depth }] of rows.entries()) {
    const next = rows[index + 1];
    if (depth >= levels - 1 && next !== undefined && next.depth > depth) collapsed.add(span.spanId);
  }
  return collapsed;
}

/** Returns the ancestors of a span, the nearest first. */
export function ancestorsOf(rows: readonly TreeRow[], spanId: string): string[] {
  const at = rows.findIndex(({ span }) => span.spanId === spanId);
  const ancestors: string[] = [];
  for (let index = at - 1, depth = rows[at]?.depth ?? 0; index >= 0 && depth > 0; index -= 1) {
    const row = rows[index]!;
    if (row.depth >= depth) continue;
    ancestors.push(row.span.spanId);
    depth = row.depth;
  }
  return ancestors;
}

/** Counts the descendants of each row from the last to the first: they are the deeper rows that follow it. */
function countBelow(rows: readonly TreeRow[]): number[] {
  const below = rows.map(() => 0);
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const { depth } = rows[index]!;
    let next = index + 1;
    while (next < rows.length && rows[next]!.depth > depth) next += below[next]! + 1;
    below[index] = next - index - 1;
  }
  return below;
}
