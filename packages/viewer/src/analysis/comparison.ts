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
  const root: PairNode = { children: new Map() };
  addSpans(root, before, "before");
  addSpans(root, after, "after");
  const rows: ComparedRow[] = [];
  const stack = [...root.children.values()].reverse().map((node) => ({ node, depth: 0 }));
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { node, depth } = next;
    rows.push(rowOf(node, depth));
    for (const below of [...node.children.values()].reverse()) stack.push({ node: below, depth: depth + 1 });
  }
  return rows;
}

function addSpans(root: PairNode, spans: readonly ViewedSpan[], side: "before" | "after"): void {
  const path: PairNode[] = [];
  const seen = new Map<PairNode, Map<string, number>>();
  for (const { span, depth } of spanTree(spans)) {
    const above = depth === 0 ? root : path[depth - 1]!;
    const key = JSON.stringify([span.service, span.kind, span.name]);
    let counts = seen.get(above);
    if (counts === undefined) seen.set(above, (counts = new Map()));
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    let node = above.children.get(`${count} ${key}`);
    if (node === undefined) above.children.set(`${count} ${key}`, (node = { children: new Map() }));
    node[side] = span;
    path[depth] = node;
  }
}

function rowOf({ before, after }: PairNode, depth: number): ComparedRow {
  const { service, name, kind } = (before ?? after)!;
  const difference =
    before === undefined || after === undefined ? undefined : after.end - after.start - (before.end - before.start);
  return { depth, service, name, kind, before, after, difference };
}
