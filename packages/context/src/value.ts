import type { Context as OtelContext } from "@opentelemetry/api";

import type { Context } from "./context.ts";
import { describe } from "./describe.ts";
import type { Key } from "./key.ts";
import { parentOf } from "./parent.ts";

/**
 * A context in which `key` has `value`; all else is the parent's. For what crosses the boundaries of a request, such as
 * its principal, never for the optional arguments of a function.
 *
 * @throws TypeError if the key was not made by `createKey`
 */
export function withValue<T>(parent: OtelContext, key: Key<T>, value: T): Context {
  const up = parentOf(parent);
  if (typeof key !== "symbol") {
    throw new TypeError(`Cannot bind a value: 'key' must be made by createKey(): current value is ${describe(key)}`);
  }
  return up.derive(up.scope, key, value);
}
