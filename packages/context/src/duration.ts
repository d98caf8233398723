import parse from "ms";

import { describeValue } from "./describe-value.ts";

/** A span of time: milliseconds as a number, or a number with its unit: `"250ms"`, `"2s"`, `"1m"`, `"1h"`, `"1d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** A number and its unit. Without one, as in `TIMEOUT=5`, nobody can tell what was meant. */
const GRAMMAR = /^\d{1,16}(?:\.\d{1,9})?(?:ms|[smhd])$/;

/** The longest span that a `Date` can bridge (ECMA-262, 21.4.1.1). */
const LONGEST = 8.64e15;

/**
 * A duration in milliseconds.
 *
 * @param action what was being done, for the message of the error: `"derive a context"`
 * @throws TypeError if it is neither a number nor a string
 * @throws RangeError if it is NaN, negative, infinite, longer than a Date can bridge, or has no known unit
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
 * A time that is left, in milliseconds: as {@link milliseconds}, but a negative number is no time left, 0. For durations of one call, which
 * may be computed; options that are written down once stay strict.
 */
export function remainingTime(duration: Duration, action: string, name = "timeout"): number {
  return typeof duration === "number" && duration < 0 && duration >= -LONGEST
    ? 0
    : milliseconds(duration, action, name);
}

function wanted(name: string): string {
  return `'${name}' must be zero or more milliseconds, or a duration such as "250ms", "2s" or "1m"`;
}
