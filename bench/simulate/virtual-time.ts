import { fireEntry, nextEntry, useManualClock } from "@throughline/context/internal";

let time = 0;

/** Milliseconds since the start of the simulation. */
export function virtualNow(): number {
  return time;
}

/**
 * Runs `work` on a clock that jumps from each timer of the library to the next. Only `callAfter`, `sleep` and deadlines
 * are on it.
 */
export async function inVirtualTime<T>(work: () => Promise<T>): Promise<T> {
  time = 0;
  useManualClock({ now: () => time, armed() {} });
  try {
    const result = work();
    let isDone = false;
    const done = (): void => void (isDone = true);
    result.then(done, done);
    for (;;) {
      // All callbacks of promises run before the next turn of the event loop.
      await new Promise((resolve) => void setImmediate(resolve));
      const next = nextEntry();
      if (isDone || next === undefined) return await result;
      time = Math.max(time, next.at);
      fireEntry(next);
    }
  } finally {
    useManualClock(undefined);
  }
}

/** A generator of random numbers from a seed, between 0 and 1 (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
