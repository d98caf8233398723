import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

/** How long to wait before the next attempt. */
export interface BackoffOptions {
  /** The longest wait before the second attempt; it doubles with each further one. @default "50ms" */
  base?: Duration;
  /** The longest wait before any. @default "2s" */
  max?: Duration;
}

const MOST_DOUBLINGS = 64;

/** Milliseconds to wait after so many attempts. */
export type Backoff = (attempts: number) => number;

/**
 * Full jitter: anything from nothing to twice as much each time, so that those who failed together do not come back together.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function backoffOf(options: BackoffOptions, action: string): Backoff {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${action}: 'backoff' must be an object; received ${describeValue(options)}`);
  }
  const { base = 50, max = 2000, ...others } = options;
  refuseUnknown(others, action);
  const [least, most] = [milliseconds(base, action, "base"), milliseconds(max, action, "max")];
  // Doubled more often it is infinite, and nothing times infinity is no number.
  return (attempts) => Math.random() * Math.min(most, least * 2 ** Math.min(attempts - 1, MOST_DOUBLINGS));
}
