import type { Context as OtelContext } from "@opentelemetry/api";

/** A node of a list of values, which is what a Context is to this file. */
interface Node {
  readonly up: Node | undefined;
  /** What this node binds; `undefined` where it binds nothing. */
  readonly key: symbol | undefined;
  readonly bound: unknown;
  readonly base: Base;
}

/**
 * What a list of values stands on, and all its nodes point to: a root of ours or a foreign OpenTelemetry context, with whatever a
 * list that grew long was gathered into.
 */
export class Base {
  readonly name: string;
  readonly foreign: OtelContext | undefined;
  /** Bound above the root and below the list. */
  readonly index: ReadonlyMap<symbol, unknown> | undefined;

  constructor(name: string, foreign?: OtelContext, index?: ReadonlyMap<symbol, unknown>) {
    this.name = name;
    this.foreign = foreign;
    this.index = index;
  }

  find(key: symbol): unknown {
    const { index, foreign } = this;
    if (index !== undefined) {
      const value = index.get(key);
      if (value !== undefined || index.has(key)) return value;
    }
    return foreign?.getValue(key);
  }
}

/** The value bound to the key nearest to this node. A loop, so that depth costs no stack (Go: `value`). */
export function find(from: Node, key: symbol): unknown {
  let node: Node | undefined = from;
  do {
    if (node.key === key) return node.bound;
    node = node.up;
  } while (node !== undefined);
  return from.base.find(key);
}

/** A base with all that is bound from this node down: as many entries as keys, however often each was bound. */
export function gather(from: Node): Base {
  const { name, foreign, index } = from.base;
  const bindings: Node[] = [];
  for (let node: Node | undefined = from; node !== undefined; node = node.up) {
    if (node.key !== undefined) bindings.push(node);
  }
  const gathered = new Map(index);
  for (const { key, bound } of bindings.reverse()) {
    // `undefined` hides what a foreign context below may bind; elsewhere it is the same as absent.
    if (bound === undefined && foreign === undefined) gathered.delete(key!);
    else gathered.set(key!, bound);
  }
  return new Base(name, foreign, gathered);
}
