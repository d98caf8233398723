import type { TreeRow } from "../span-tree.ts";

/** A row with the number of its descendants. */
export interface VisibleRow extends TreeRow {
  readonly below: number;
  readonly isCollapsed: boolean;
}

/** Returns the rows without a collapsed ancestor. */
export function visibleRows(rows: readonly TreeRow[], collapsed: ReadonlySet<string>): VisibleRow[] {
  const below = countBelow(rows);
  const visible: VisibleRow[] = [];
  for (let index = 0; index < rows.length; index += 1) {
    const { span, depth } = rows[index]!;
    const isCollapsed = below[index]! > 0 && collapsed.has(span.spanId);
    visible.push({ span, depth, below: below[index]!, isCollapsed });
    if (isCollapsed) index += below[index]!;
  }
  return visible;
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
