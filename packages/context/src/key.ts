import { describeValue } from "./describe-value.ts";

declare const type: unique symbol;

/** Identifies a request-scoped value and its type. Two keys are never equal, even if their names are. */
export type Key<T> = symbol & { readonly [type]: (value: T) => T };

/**
 * Creates a key. Keep it private to a module and export functions that read and set the value, as Go does with
 * unexported key types.
 *
 * @param name shown in `String(ctx)` and in error messages; it need not be unique
 * @throws TypeError if the name is not a string or is empty
 */
export function createKey<T>(name: string): Key<T> {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      `Cannot create a key: 'name' must be a string that is not empty; received ${describeValue(name)}`,
    );
  }
  return Symbol(name) as Key<T>;
}
