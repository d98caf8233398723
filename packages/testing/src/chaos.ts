import { current, type Duration } from "@throughline/context";
import { callable, describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

import { delay } from "./peer.ts";

export interface ChaosOptions {
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
  /** The number of the call, from 1, that takes until the deadline of its context. @default none */
  exhaustAt?: number;
}

/** A fault of one call. */
export type Fault = "none" | "reset" | "stall" | "unavailable" | "exhaust";

/** A `fetch` with faults. */
export interface ChaoticFetch {
  (...args: Parameters<typeof globalThis.fetch>): Promise<Response>;
  /** The fault of each call so far. */
  readonly faults: readonly Fault[];
}

/**
 * Wraps a `fetch` so that some of its calls fail, for `createFetch({ fetch: chaos(peer.fetch, { reset: 0.1 }) })`. All
 * waiting is on the test clock if one is running.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function chaos(fetch: typeof globalThis.fetch, options: ChaosOptions = {}): ChaoticFetch {
  const action = "create a fetch with faults";
  callable("fetch", fetch, action);
  const { seed = 1, latency = 0, reset = 0, stall = 0, unavailable = 0, exhaustAt, ...others } = options;
  refuseUnknown(others, action);
  const longest = milliseconds(latency, action, "latency");
  const shares = Object.entries({ reset, stall, unavailable });
  for (const [name, share] of shares) {
    if (typeof share !== "number" || !(share >= 0 && share <= 1)) {
      throw new RangeError(`Cannot ${action}: '${name}' must be from 0 to 1; received ${describeValue(share)}`);
    }
  }
  if (reset + stall + unavailable > 1) {
    throw new RangeError(`Cannot ${action}: 'reset', 'stall' and 'unavailable' must be at most 1 together`);
  }
  const random = randomOf(seed);
  const faults: Fault[] = [];

  /** Draws two numbers for each call, so that one option does not change the effect of another. */
  function draw(): { fault: Fault; ms: number } {
    let rest = random();
    const ms = Math.floor(random() * (longest + 1));
    if (faults.length + 1 === exhaustAt) return { fault: "exhaust", ms };
    for (const [name, share] of shares) {
      if (rest < share) return { fault: name as Fault, ms };
      rest -= share;
    }
    return { fault: "none", ms };
  }

  async function chaotic(...[input, init]: Parameters<typeof globalThis.fetch>): Promise<Response> {
    const { fault, ms } = draw();
    faults.push(fault);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined) ?? undefined;
    await delay(Math.min(ms, longest), signal);
    if (fault === "reset") throw new TypeError("fetch failed", { cause: resetError() });
    if (fault === "unavailable") return new Response("unavailable", { status: 503 });
    if (fault === "stall") await forever(signal);
    const remaining = current().remaining();
    if (fault === "exhaust") await (remaining === Infinity ? forever(signal) : delay(remaining, signal));
    return fetch(input, init);
  }
  return Object.assign(chaotic, { faults });
}

/** As `fetch` fails if the other side resets the connection. */
function resetError(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
}

function forever(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
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
