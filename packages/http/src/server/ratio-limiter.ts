import { SlidingCount } from "@throughline/resilience/internal";

/** Milliseconds over which it is counted. */
const WINDOW = 10_000;

/** Lets something happen to at most a share of all, over the last ten seconds. */
export class RatioLimiter {
  readonly #most: number;
  readonly #seen = new SlidingCount(WINDOW);
  readonly #taken = new SlidingCount(WINDOW);

  /** @param most 0.2 for a fifth */
  constructor(most: number) {
    this.#most = most;
  }

  /** One more of all. */
  see(): void {
    this.#seen.add();
  }

  /** Whether it may happen to one more; if so it counts as having happened. */
  take(): boolean {
    if (this.#taken.total + 1 > this.#most * this.#seen.total) return false;
    this.#taken.add();
    return true;
  }
}
