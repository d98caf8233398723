import { describeValue } from "./describe-value.ts";

declare const type: unique symbol;

/** Names a request-scoped value and its type. Two keys are never equal, whatever their names. */
export type Key<T> = symbol & { readonly [type]: (value: T) => T };

/**
 * Makes a key. Keep it private to a module and export functions that read and set it, as Go does with unexported key
 * types.
 *
 * @param name for lineages and messages only
 */
export function createKey<T>(name: string): Key<T> {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      `Cannot create a key: 'name' must be a string that is not empty; received ${describeValue(name)}`,
    );
  }
  return Symbol(name) as Key<T>;
}
