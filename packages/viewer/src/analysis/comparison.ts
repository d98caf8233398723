import { spanTree } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";

/** What is at one place of either tree. */
export interface ComparedRow {
  readonly depth: number;
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly before: ViewedSpan | undefined;
  readonly after: ViewedSpan | undefined;
  /** Milliseconds that the second took longer. */
  readonly difference: number | undefined;
}

interface Place {
  before?: ViewedSpan;
  after?: ViewedSpan;
  readonly places: Map<string, Place>;
}

/** Two traces as one tree. A span has its place by service, kind and name of it and all above it; of several alike, by their order. */
export function compareTraces(before: readonly ViewedSpan[], after: readonly ViewedSpan[]): ComparedRow[] {
  const top: Place = { places: new Map() };
  put(top, before, "before");
  put(top, after, "after");
  const rows: ComparedRow[] = [];
  const stack = [...top.places.values()].reverse().map((place) => ({ place, depth: 0 }));
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { place, depth } = next;
    rows.push(rowOf(place, depth));
    for (const below of [...place.places.values()].reverse()) stack.push({ place: below, depth: depth + 1 });
  }
  return rows;
}

function put(top: Place, spans: readonly ViewedSpan[], side: "before" | "after"): void {
  const path: Place[] = [];
  const taken = new Map<Place, Map<string, number>>();
  for (const { span, depth } of spanTree(spans)) {
    const above = depth === 0 ? top : path[depth - 1]!;
    const alike = JSON.stringify([span.service, span.kind, span.name]);
    let counts = taken.get(above);
    if (counts === undefined) taken.set(above, (counts = new Map()));
    const count = (counts.get(alike) ?? 0) + 1;
    counts.set(alike, count);
    let place = above.places.get(`${count} ${alike}`);
    if (place === undefined) above.places.set(`${count} ${alike}`, (place = { places: new Map() }));
    place[side] = span;
    path[depth] = place;
  }
}

function rowOf({ before, after }: Place, depth: number): ComparedRow {
  const { service, name, kind } = (before ?? after)!;
  const difference =
    before === undefined || after === undefined ? undefined : after.end - after.start - (before.end - before.start);
  return { depth, service, name, kind, before, after, difference };
}
