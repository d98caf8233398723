/** Width of a bucket, and how many make the window. */
const BUCKET = 1000;
const BUCKETS = 10;

/** Lets something happen to at most a share of all, over the last ten seconds. */
export class Share {
  readonly #most: number;
  readonly #seen = new Float64Array(BUCKETS);
  readonly #taken = new Float64Array(BUCKETS);
  #latest = 0;

  /** @param most 0.2 for a fifth */
  constructor(most: number) {
    this.#most = most;
  }

  /** One more of all. */
  see(): void {
    this.#seen[this.#bucket()]! += 1;
  }

  /** Whether it may happen to one more; if so it counts as having happened. */
  take(): boolean {
    const bucket = this.#bucket();
    if (sum(this.#taken) + 1 > this.#most * sum(this.#seen)) return false;
    this.#taken[bucket]! += 1;
    return true;
  }

  /** The bucket of this second; those of seconds that are too long ago are emptied. */
  #bucket(): number {
    const second = Math.floor(performance.now() / BUCKET);
    for (let each = Math.max(this.#latest + 1, second - BUCKETS + 1); each <= second; each++) {
      this.#seen[each % BUCKETS] = 0;
      this.#taken[each % BUCKETS] = 0;
    }
    this.#latest = second;
    return second % BUCKETS;
  }
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
