import type { Context as OtelContext } from "@opentelemetry/api";

/** A node of a list of values: the part of a Context that this file uses. */
interface Node {
  readonly parent: Node | undefined;
  /** The key that this node binds; `undefined` if it binds none. */
  readonly key: symbol | undefined;
  readonly boundValue: unknown;
  readonly base: Base;
}

/**
 * The base of a list of values, to which all its nodes refer: `background`, `todo` or a foreign OpenTelemetry context,
 * and the values of nodes that an index has replaced.
 */
export class Base {
  readonly name: string;
  readonly foreign: OtelContext | undefined;
  /** Values of earlier nodes of the list. They take precedence over the foreign context's. */
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

/**
 * Returns the value bound to the key nearest to this node. A loop, so that the depth of the list does not matter (Go:
 * `value`).
 */
export function find(from: Node, key: symbol): unknown {
  let node: Node | undefined = from;
  do {
    if (node.key === key) return node.boundValue;
    node = node.parent;
  } while (node !== undefined);
  return from.base.find(key);
}

/** Returns a base with all values of the list in an index: one entry a key, however often each key was bound. */
export function indexValues(from: Node): Base {
  const { name, foreign, index } = from.base;
  const bindings: Node[] = [];
  for (let node: Node | undefined = from; node !== undefined; node = node.parent) {
    if (node.key !== undefined) bindings.push(node);
  }
  const values = new Map(index);
  for (const { key, boundValue } of bindings.reverse()) {
    // `undefined` hides a value of the foreign context; without one it is the same as absent.
    if (boundValue === undefined && foreign === undefined) values.delete(key!);
    else values.set(key!, boundValue);
  }
  return new Base(name, foreign, values);
}
