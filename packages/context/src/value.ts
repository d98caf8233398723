import type { Context as OtelContext } from "@opentelemetry/api";

import type { Context } from "./context.ts";
import { describe } from "./describe.ts";
import type { Key } from "./key.ts";
import { parentOf } from "./parent.ts";

/** What a value must be, for keys of which that is known: it throws where one is not. */
const CHECKS = Symbol.for("@throughline/context/checks.1");
const shared = globalThis as { [CHECKS]?: Map<symbol, (value: never) => void> };
// One map for all installed copies of this package: a declaration made through one copy holds for values bound through another.
const checks = (shared[CHECKS] ??= new Map());

/** Has every value that is bound to the key checked, in the place where it is bound. */
export function checkValues<T>(key: Key<T>, check: (value: T) => void): void {
  checks.set(key, check);
}

/**
 * A context in which `key` has `value`; all else is the parent's. For what crosses the boundaries of a request, such as
 * its principal, never for the optional arguments of a function.
 *
 * @throws TypeError if the key was not made by `createKey`
 * @throws whatever the key's declaration says of a value that cannot be sent
 */
export function withValue<T>(parent: OtelContext, key: Key<T>, value: T): Context {
  const up = parentOf(parent);
  if (typeof key !== "symbol") {
    throw new TypeError(`Cannot bind a value: 'key' must be made by createKey(): current value is ${describe(key)}`);
  }
  if (checks.size > 0) checks.get(key)?.(value as never);
  return up.derive(up.scope, key, value);
}
