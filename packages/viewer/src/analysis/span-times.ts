import type { TreeRow } from "../span-tree.ts";
import { durationOf, type ViewedSpan } from "../span.ts";

/** Returns the milliseconds of each span during which none of its children ran, by span id. */
export function selfTimes(rows: readonly TreeRow[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  // Siblings are sorted by start, so the part that children cover grows only at its end.
  const open: { span: ViewedSpan; covered: number; until: number }[] = [];
  const close = (depth: number): void => {
    while (open.length > depth) {
      const { span, covered } = open.pop()!;
      times.set(span.spanId, Math.max(0, durationOf(span) - covered));
    }
  };
  for (const { span, depth } of rows) {
    close(depth);
    const above = open[depth - 1];
    if (above !== undefined) {
      const from = Math.max(span.start, above.until);
      const to = Math.min(span.end, above.span.end);
      if (to > from) {
        above.covered += to - from;
        above.until = to;
      }
    }
    open[depth] = { span, covered: 0, until: span.start };
  }
  close(0);
  return times;
}

/**
 * Returns the spans on the critical path of each root: from the end of a span back to its start, the child that ended
 * last before that time, and so on. Work after the end of its parent did not delay it.
 */
export function criticalPath(rows: readonly TreeRow[]): ReadonlySet<string> {
  const children = new Map<ViewedSpan, ViewedSpan[]>();
  const path: ViewedSpan[] = [];
  const stack: { span: ViewedSpan; until: number }[] = [];
  for (const { span, depth } of rows) {
    path[depth] = span;
    if (depth === 0) stack.push({ span, until: span.end });
    else {
      const above = path[depth - 1]!;
      const siblings = children.get(above);
      if (siblings === undefined) children.set(above, [span]);
      else siblings.push(span);
    }
  }
  const critical = new Set<string>();
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { span } = next;
    critical.add(span.spanId);
    let until = Math.min(next.until, span.end);
    for (const child of (children.get(span) ?? []).toSorted((a, b) => b.end - a.end)) {
      if (child.end > until || child.end < child.start) continue;
      stack.push({ span: child, until: child.end });
      until = child.start;
    }
  }
  return critical;
}
