import { describe } from "./describe.ts";

/**
 * Refuses what is left of an options object once all that is known has been taken out: a misspelt option would otherwise be a limit
 * that is not there.
 */
export function refuseUnknown(others: object, action: string): void {
  const [name] = Object.keys(others);
  if (name !== undefined) throw new TypeError(`Cannot ${action}: there is no option '${name}'`);
}

/** @throws TypeError if the value is given and is none of those known */
export function oneOf<T extends string>(
  name: string,
  value: unknown,
  known: readonly T[],
  action: string,
): T | undefined {
  if (value === undefined || known.includes(value as T)) return value as T | undefined;
  const list = known.map((each) => `"${each}"`).join(", ");
  throw new TypeError(`Cannot ${action}: '${name}' must be one of ${list}: current value is ${describe(value)}`);
}
