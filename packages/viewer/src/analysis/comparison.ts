import { spanTree } from "../span-tree.ts";
import { type AttributeValue, durationOf, type ViewedSpan } from "../span.ts";

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
  readonly before: ViewedSpan | undefined;
  readonly after: ViewedSpan | undefined;
  readonly depth: number;
}

/**
 * Merges two traces into one tree. Spans correspond if they and all their ancestors have the same service, kind and
 * name. Of equal siblings, such as parallel calls, those with the same target correspond, and then those with the most
 * similar duration: their order differs from trace to trace.
 */
export function compareTraces(before: readonly ViewedSpan[], after: readonly ViewedSpan[]): ComparedRow[] {
  const [first, second] = [childrenOf(before), childrenOf(after)];
  const rows: ComparedRow[] = [];
  const stack: PairNode[] = [];
  const push = (above: PairNode | undefined, depth: number): void => {
    const left = above === undefined ? first.get(undefined) : first.get(above.before ?? NONE);
    const right = above === undefined ? second.get(undefined) : second.get(above.after ?? NONE);
    stack.push(...pairSiblings(left ?? [], right ?? [], depth).reverse());
  };
  push(undefined, 0);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    rows.push(rowOf(node));
    push(node, node.depth + 1);
  }
  return rows;
}

/** Stands for the missing side of a pair, which has no children. */
const NONE = {};

/** Returns the children of each span, and the roots for `undefined`. */
function childrenOf(spans: readonly ViewedSpan[]): ReadonlyMap<object | undefined, readonly ViewedSpan[]> {
  const path: ViewedSpan[] = [];
  const children = new Map<object | undefined, ViewedSpan[]>();
  for (const { span, depth } of spanTree(spans)) {
    const above = depth === 0 ? undefined : path[depth - 1];
    path[depth] = span;
    const siblings = children.get(above);
    if (siblings === undefined) children.set(above, [span]);
    else siblings.push(span);
  }
  return children;
}

function pairSiblings(before: readonly ViewedSpan[], after: readonly ViewedSpan[], depth: number): PairNode[] {
  const others = Map.groupBy(after, keyOf);
  const partners = new Map<ViewedSpan, ViewedSpan>();
  for (const [key, left] of Map.groupBy(before, keyOf)) {
    const right = others.get(key) ?? [];
    if (left.length === 1 && right.length === 1) partners.set(left[0]!, right[0]!);
    else pairEqual(left, right, partners);
  }
  const paired = new Set(partners.values());
  return [
    ...before.map((span) => ({ before: span, after: partners.get(span), depth })),
    ...after.filter((span) => !paired.has(span)).map((span) => ({ before: undefined, after: span, depth })),
  ];
}

/** Pairs by target, then by duration: the longest with the longest. */
function pairEqual(
  left: readonly ViewedSpan[],
  right: readonly ViewedSpan[],
  partners: Map<ViewedSpan, ViewedSpan>,
): void {
  const byTarget = Map.groupBy(right, targetOf);
  const [restLeft, restRight] = [new Set(left), new Set(right)];
  const pair = (some: readonly ViewedSpan[], others: readonly ViewedSpan[]): void => {
    const [a, b] = [some.toSorted(byDuration), others.toSorted(byDuration)];
    for (let at = 0; at < Math.min(a.length, b.length); at++) {
      partners.set(a[at]!, b[at]!);
      restLeft.delete(a[at]!);
      restRight.delete(b[at]!);
    }
  };
  for (const [target, some] of Map.groupBy(left, targetOf)) pair(some, byTarget.get(target) ?? []);
  pair([...restLeft], [...restRight]);
}

function byDuration(a: ViewedSpan, b: ViewedSpan): number {
  return durationOf(b) - durationOf(a);
}

function keyOf({ service, kind, name }: ViewedSpan): string {
  return JSON.stringify([service, kind, name]);
}

/** Attributes that distinguish calls with the same name. */
const TARGETS = [
  "url.full",
  "http.url",
  "url.path",
  "url.query",
  "http.target",
  "server.address",
  "db.query.text",
  "db.statement",
  "db.collection.name",
  "messaging.destination.name",
];

function targetOf({ attributes }: ViewedSpan): string {
  return JSON.stringify(TARGETS.map((name): AttributeValue | undefined => attributes[name]));
}

function rowOf({ before, after, depth }: PairNode): ComparedRow {
  const { service, name, kind } = (before ?? after)!;
  const difference = before === undefined || after === undefined ? undefined : durationOf(after) - durationOf(before);
  return { depth, service, name, kind, before, after, difference };
}
