import { spanTree } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";

/** A span of one trace with its counterpart in the other. */
export interface ComparedRow {
  readonly depth: number;
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly before: ViewedSpan | undefined;
  readonly after: ViewedSpan | undefined;
  /** Milliseconds that the second span took longer. */
  readonly difference: number | undefined;
}

interface PairNode {
  before?: ViewedSpan;
  after?: ViewedSpan;
  readonly children: Map<string, PairNode>;
}

/**
 * Merges two traces into one tree. Spans correspond if they and all their ancestors have the same service, kind and
 * name; equal siblings correspond by their order.
 */
export function compareTraces(before: readonly ViewedSpan[], after: readonly ViewedSpan[]): ComparedRow[] {
  const top: PairNode = { children: new Map() };
  put(top, before, "before");
  put(top, after, "after");
  const rows: ComparedRow[] = [];
  const stack = [...top.children.values()].reverse().map((place) => ({ place, depth: 0 }));
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { place, depth } = next;
    rows.push(rowOf(place, depth));
    for (const below of [...place.children.values()].reverse()) stack.push({ place: below, depth: depth + 1 });
  }
  return rows;
}

function put(top: PairNode, spans: readonly ViewedSpan[], side: "before" | "after"): void {
  const path: PairNode[] = [];
  const taken = new Map<PairNode, Map<string, number>>();
  for (const { span, depth } of spanTree(spans)) {
    const above = depth === 0 ? top : path[depth - 1]!;
    const alike = JSON.stringify([span.service, span.kind, span.name]);
    let counts = taken.get(above);
    if (counts === undefined) taken.set(above, (counts = new Map()));
    const count = (counts.get(alike) ?? 0) + 1;
    counts.set(alike, count);
    let place = above.children.get(`${count} ${alike}`);
    if (place === undefined) above.children.set(`${count} ${alike}`, (place = { children: new Map() }));
    place[side] = span;
    path[depth] = place;
  }
}

function rowOf({ before, after }: PairNode, depth: number): ComparedRow {
  const { service, name, kind } = (before ?? after)!;
  const difference =
    before === undefined || after === undefined ? undefined : after.end - after.start - (before.end - before.start);
  return { depth, service, name, kind, before, after, difference };
}
