import parse from "ms";

import { describeValue } from "./describe-value.ts";

/** A duration: milliseconds as a number, or a string with a unit: `"250ms"`, `"2s"`, `"1m"`, `"1h"`, `"1d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** A number with a unit. The unit is required: `TIMEOUT=5` in an environment is ambiguous. */
const GRAMMAR = /^\d{1,16}(?:\.\d{1,9})?(?:ms|[smhd])$/;

/** The largest time value of a `Date` (ECMA-262, 21.4.1.1). */
const LONGEST = 8.64e15;

/**
 * Converts a duration to milliseconds.
 *
 * @param action the operation, for the error message: `"derive a context"`
 * @throws TypeError if it is neither a number nor a string
 * @throws RangeError if it is NaN, negative, infinite, beyond a Date's range, or a string without a known unit
 */
export function milliseconds(duration: Duration, action: string, name = "timeout"): number {
  if (typeof duration === "number") {
    if (duration >= 0 && duration <= LONGEST) return duration;
  } else if (typeof duration !== "string") {
    throw new TypeError(`Cannot ${action}: ${wanted(name)}; received ${describeValue(duration)}`);
  } else if (GRAMMAR.test(duration)) {
    const value = parse(duration as parse.StringValue) as number | undefined;
    if (value !== undefined && value >= 0 && value <= LONGEST) return value;
  }
  throw new RangeError(`Cannot ${action}: ${wanted(name)}; received ${describeValue(duration)}`);
}

/**
 * Converts a remaining time to milliseconds: like {@link milliseconds}, but a negative number is 0. For arguments of
 * calls, which may be computed, such as `deadline - now`. Options are constants and use the strict function.
 */
export function remainingTime(duration: Duration, action: string, name = "timeout"): number {
  return typeof duration === "number" && duration < 0 && duration >= -LONGEST
    ? 0
    : milliseconds(duration, action, name);
}

function wanted(name: string): string {
  return `'${name}' must be zero or more milliseconds, or a duration such as "250ms", "2s" or "1m"`;
}
