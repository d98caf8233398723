import { now } from "@throughline/context/internal";

const BUCKETS = 10;

/** Counts events in a sliding window, which moves in steps of a tenth of its length. */
export class SlidingCount {
  readonly #width: number;
  readonly #counts = new Float64Array(BUCKETS);
  #latest = 0;

  /** @param window milliseconds, on the monotonic clock */
  constructor(window: number) {
    this.#width = window / BUCKETS;
  }

  add(count = 1): void {
    this.#counts[this.#currentBucket()]! += count;
  }

  get total(): number {
    this.#currentBucket();
    let total = 0;
    for (const count of this.#counts) total += count;
    return total;
  }

  /** Returns the current bucket, and empties the expired ones. */
  #currentBucket(): number {
    const latest = Math.floor(now() / this.#width);
    // Time goes back only when a test clock that was advanced is stopped.
    if (latest < this.#latest) this.#counts.fill(0);
    for (let each = Math.max(this.#latest + 1, latest - BUCKETS + 1); each <= latest; each++)
      this.#counts[each % BUCKETS] = 0;
    this.#latest = latest;
    return this.#latest % BUCKETS;
  }
}
