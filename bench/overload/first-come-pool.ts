import { setTimeout } from "node:timers/promises";

/** A pool as most drivers have it: first come, first served, and work that has begun is done. */
export class FirstComePool {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(places: number) {
    this.#free = places;
  }

  /** Waits for a place, and works for so many milliseconds. */
  async work(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    try {
      await setTimeout(ms, undefined, { ...(signal && { signal }) });
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free += 1;
      else {
        this.#waiting.delete(next);
        next();
      }
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(resolve);
      signal?.addEventListener("abort", () => {
        if (this.#waiting.delete(resolve)) reject(signal.reason as Error);
      });
    });
  }
}
