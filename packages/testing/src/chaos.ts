import { current } from "@throughline/context";
import { callable } from "@throughline/context/internal";

import { delay, forever } from "./delay.ts";
import { type Fault, type FaultOptions, faultsBy, resetError, unavailableHeaders } from "./faults.ts";

export interface ChaosOptions extends FaultOptions {
  /** The number of the call, from 1, that takes until the deadline of its context. @default none */
  exhaustAt?: number;
}

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
  const { exhaustAt, ...others } = options;
  const draw = faultsBy(others, action);
  const faults: Fault[] = [];

  async function chaotic(...[input, init]: Parameters<typeof globalThis.fetch>): Promise<Response> {
    const drawn = draw();
    const fault = faults.length + 1 === exhaustAt ? "exhaust" : drawn.fault;
    faults.push(fault);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined) ?? undefined;
    await delay(drawn.latency, signal);
    if (fault === "reset") throw new TypeError("fetch failed", { cause: resetError() });
    if (fault === "unavailable")
      return new Response("unavailable", { status: 503, headers: unavailableHeaders(drawn) });
    if (fault === "stall") await forever(signal);
    const remaining = current().remaining();
    if (fault === "exhaust") await (remaining === Infinity ? forever(signal) : delay(remaining, signal));
    return fetch(input, init);
  }
  return Object.assign(chaotic, { faults });
}
