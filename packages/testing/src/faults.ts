import type { Duration } from "@throughline/context";
import { describeValue, milliseconds, now, refuseUnknown } from "@throughline/context/internal";

export interface FaultOptions {
  /** The seed of the faults: the same seed gives the same faults to the same sequence of calls. @default 1 */
  seed?: number;
  /** The longest time that is added to a call; each call gets a part of it. @default 0 */
  latency?: Duration;
  /** The share of calls, 0 to 1, whose connection is reset. @default 0 */
  reset?: number;
  /** The share of calls that never get a response. @default 0 */
  stall?: number;
  /** The share of calls that are answered 503. @default 0 */
  unavailable?: number;
  /**
   * All calls in the last part of each period are answered 503, with `Retry-After`: `{ every: "1m", lasts: "5s" }`
   * answers the first 55 seconds of each minute. The first period begins when the faults are created. @default none
   */
  storm?: { readonly every: Duration; readonly lasts: Duration };
}

/** A fault of one call. */
export type Fault = "none" | "reset" | "stall" | "unavailable" | "exhaust";

/** What happens to one call. */
export interface DrawnFault {
  readonly fault: Exclude<Fault, "exhaust">;
  /** Milliseconds that are added to the call. */
  readonly latency: number;
  /** Seconds, if the call is in a storm. */
  readonly retryAfter: number | undefined;
}

/**
 * Creates a function that returns the fault of each call, in order.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function faultsBy(options: FaultOptions, action: string): () => DrawnFault {
  const { seed = 1, latency = 0, reset = 0, stall = 0, unavailable = 0, storm, ...others } = options;
  refuseUnknown(others, action);
  const longest = milliseconds(latency, action, "latency");
  const shares = Object.entries({ reset, stall, unavailable }) as [DrawnFault["fault"], number][];
  for (const [name, share] of shares) {
    if (typeof share !== "number" || !(share >= 0 && share <= 1)) {
      throw new RangeError(`Cannot ${action}: '${name}' must be from 0 to 1; received ${describeValue(share)}`);
    }
  }
  if (reset + stall + unavailable > 1) {
    throw new RangeError(`Cannot ${action}: 'reset', 'stall' and 'unavailable' must be at most 1 together`);
  }
  const stormLeft = storm === undefined ? (): number => 0 : stormsOf(storm, action);
  const random = randomOf(seed);

  return () => {
    // Two numbers for each call, so that one option does not change the effect of another.
    let rest = random();
    const ms = Math.min(Math.floor(random() * (longest + 1)), longest);
    const left = stormLeft();
    if (left > 0) return { fault: "unavailable", latency: ms, retryAfter: Math.ceil(left / 1000) };
    for (const [name, share] of shares) {
      if (rest < share) return { fault: name, latency: ms, retryAfter: undefined };
      rest -= share;
    }
    return { fault: "none", latency: ms, retryAfter: undefined };
  };
}

/** Returns the milliseconds that are left of the storm, 0 outside of storms. */
function stormsOf(storm: NonNullable<FaultOptions["storm"]>, action: string): () => number {
  const { every, lasts, ...others } = storm;
  refuseUnknown(others, action);
  const period = milliseconds(every, action, "storm.every");
  const length = milliseconds(lasts, action, "storm.lasts");
  if (length > period) {
    throw new RangeError(
      `Cannot ${action}: 'storm.lasts' must be at most 'storm.every'; received ${describeValue(lasts)}`,
    );
  }
  const from = now();
  return () => {
    const left = period - ((now() - from) % period);
    return left <= length ? left : 0;
  };
}

/** As Node reports that the other side has reset the connection. */
export function resetError(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
}

/** A 503, as a proxy answers if no server is available. */
export function unavailableHeaders({ retryAfter }: DrawnFault): Record<string, string> {
  return { "content-type": "text/plain", ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }) };
}

/** Numbers from 0 to below 1, which depend on the seed only (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
