import type { Context as OtelContext } from "@opentelemetry/api";

/** A node of the list of values, which is what a Context is to this file. */
interface Node {
  readonly up: Node | undefined;
  /** What the node binds; `undefined` where it binds nothing, or one of the three marks below. */
  readonly key: symbol | undefined;
  readonly bound: unknown;
}

// Marks are the same in all installed copies of this package, since one list may have nodes of several.

/** Key of the lowest node: what it binds is the name of the root. */
export const BOTTOM: symbol = Symbol.for("@throughline/context/bottom");
/** Key of a lowest node that stands on a foreign OpenTelemetry context, which it binds. */
export const ADOPTED: symbol = Symbol.for("@throughline/context/adopted");
/** Key of a node that binds a Map of all that was below it. */
export const INDEX: symbol = Symbol.for("@throughline/context/index");

/** The value bound to the key nearest to this node. A loop, so that depth costs no stack (Go, 1G.61). */
export function find(from: Node, key: symbol): unknown {
  let node: Node | undefined = from;
  do {
    if (node.key === key) return node.bound;
    if (node.key === INDEX) {
      const index = node.bound as Map<symbol, unknown>;
      const value = index.get(key);
      if (value !== undefined || index.has(key)) return value;
    } else if (node.key === ADOPTED) {
      return (node.bound as OtelContext).getValue(key);
    }
    node = node.up;
  } while (node !== undefined);
  return undefined;
}

/** Whether the key is bound here to anything but `undefined`, which counts as absent. */
export function has(from: Node, key: symbol): boolean {
  return find(from, key) !== undefined;
}

/** Where the list stands, and all that is bound above that in one Map: as many entries as keys, however often each was bound. */
export function gather<N extends Node & { readonly up: N | undefined }>(
  from: N,
): { lowest: N; index: Map<symbol, unknown> } {
  const steps: N[] = [];
  let node = from;
  while (node.up !== undefined && node.key !== INDEX) {
    steps.push(node);
    node = node.up;
  }
  const known = node.key === INDEX ? (node.bound as Map<symbol, unknown>) : undefined;
  const lowest = known === undefined ? node : node.up!;
  const index = new Map(known);
  for (const { key, bound } of steps.reverse()) {
    if (key === undefined) continue;
    // `undefined` hides what a foreign context below may bind; elsewhere it is the same as absent.
    if (bound === undefined && lowest.key !== ADOPTED) index.delete(key);
    else index.set(key, bound);
  }
  return { lowest, index };
}
