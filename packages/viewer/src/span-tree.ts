import type { ViewedSpan } from "./span.ts";

/** A span with the number of its ancestors. */
export interface TreeRow {
  readonly span: ViewedSpan;
  readonly depth: number;
}

/**
 * Orders spans as a tree: parents before children, siblings by start. A span whose parent is unknown is a root; so is
 * the first span of a cycle. It does not recurse, because a trace may be deeper than the call stack.
 */
export function spanTree(spans: readonly ViewedSpan[]): TreeRow[] {
  const sorted = spans.toSorted((a, b) => a.start - b.start);
  const known = new Set(sorted.map((span) => span.spanId));
  const isRoot = ({ parentSpanId }: ViewedSpan): boolean => parentSpanId === undefined || !known.has(parentSpanId);
  const children = Map.groupBy(sorted, (span) => (isRoot(span) ? undefined : span.parentSpanId));
  const rows = new Map<ViewedSpan, TreeRow>();
  for (const root of [...sorted.filter(isRoot), ...sorted]) {
    const stack: TreeRow[] = [{ span: root, depth: 0 }];
    for (let row = stack.pop(); row !== undefined; row = stack.pop()) {
      if (rows.has(row.span)) continue;
      rows.set(row.span, row);
      const { depth } = row;
      for (const span of (children.get(row.span.spanId) ?? []).toReversed()) stack.push({ span, depth: depth + 1 });
    }
  }
  return [...rows.values()];
}
