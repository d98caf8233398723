import { SlidingCount } from "@throughline/resilience/internal";

/** The window of the counts, in milliseconds. */
const WINDOW = 10_000;

/** Limits an event to a ratio of all requests of the last ten seconds. */
export class RatioLimiter {
  readonly #ratio: number;
  readonly #recorded = new SlidingCount(WINDOW);
  readonly #taken = new SlidingCount(WINDOW);

  /** @param ratio 0.2 for a fifth */
  constructor(ratio: number) {
    this.#ratio = ratio;
  }

  /** Counts a request. */
  record(): void {
    this.#recorded.add();
  }

  /** Whether the event may happen once more. If so, it is counted. */
  tryTake(): boolean {
    if (this.#taken.total + 1 > this.#ratio * this.#recorded.total) return false;
    this.#taken.add();
    return true;
  }
}
