import { describeValue } from "./describe-value.ts";

/**
 * Rejects the unknown options that remain after all known ones were destructured: a misspelt option would otherwise be
 * ignored silently.
 *
 * @throws TypeError if there is any
 */
export function refuseUnknown(others: object, action: string): void {
  const [name] = Object.keys(others);
  if (name !== undefined) throw new TypeError(`Cannot ${action}: there is no option '${name}'`);
}

/** @throws TypeError if the value is neither `undefined` nor one of the known values */
export function oneOf<T extends string>(
  name: string,
  value: unknown,
  known: readonly T[],
  action: string,
): T | undefined {
  if (value === undefined || known.includes(value as T)) return value as T | undefined;
  const list = known.map((each) => `"${each}"`).join(", ");
  throw new TypeError(`Cannot ${action}: '${name}' must be one of ${list}; received ${describeValue(value)}`);
}

/**
 * Returns the value if it is a whole number of at least `least`, or `Infinity`.
 *
 * @throws RangeError if it is not
 */
export function wholeNumber(name: string, value: number, least: number, action: string): number {
  if (value === Infinity || (Number.isInteger(value) && value >= least)) return value;
  throw new RangeError(
    `Cannot ${action}: '${name}' must be a whole number, ${least} or more; received ${describeValue(value)}`,
  );
}

/** @throws TypeError if the value is not a function */
export function callable<F>(name: string, value: F, action: string, remedy?: string): F {
  if (typeof value === "function") return value;
  const hint = remedy === undefined ? "" : `; ${remedy}`;
  throw new TypeError(`Cannot ${action}: '${name}' must be a function; received ${describeValue(value)}${hint}`);
}
