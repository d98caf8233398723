const BUCKETS = 10;

/** How often something has happened lately: a count over a window that moves on by a tenth of itself. */
export class SlidingCount {
  readonly #width: number;
  readonly #counts = new Float64Array(BUCKETS);
  #latest = 0;

  /** @param window milliseconds, on the monotonic clock */
  constructor(window: number) {
    this.#width = window / BUCKETS;
  }

  add(count = 1): void {
    this.#counts[this.#now()]! += count;
  }

  get total(): number {
    this.#now();
    let total = 0;
    for (const count of this.#counts) total += count;
    return total;
  }

  /** The bucket of this moment; those of times that are too long ago are emptied. */
  #now(): number {
    const now = Math.floor(performance.now() / this.#width);
    for (let each = Math.max(this.#latest + 1, now - BUCKETS + 1); each <= now; each++)
      this.#counts[each % BUCKETS] = 0;
    this.#latest = Math.max(this.#latest, now);
    return this.#latest % BUCKETS;
  }
}
