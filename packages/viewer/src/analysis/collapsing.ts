import type { TreeRow } from "../span-tree.ts";

/** A row that is shown, and how many are below it in the tree. */
export interface ShownRow extends TreeRow {
  readonly below: number;
  readonly isCollapsed: boolean;
}

/** The rows that no collapsed span is above of. */
export function shownRows(rows: readonly TreeRow[], collapsed: ReadonlySet<string>): ShownRow[] {
  const below = countBelow(rows);
  const shown: ShownRow[] = [];
  for (let index = 0; index < rows.length; index += 1) {
    const { span, depth } = rows[index]!;
    const isCollapsed = below[index]! > 0 && collapsed.has(span.spanId);
    shown.push({ span, depth, below: below[index]!, isCollapsed });
    if (isCollapsed) index += below[index]!;
  }
  return shown;
}

/** From the last to the first: what is below a row is all that follows and is deeper. */
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
