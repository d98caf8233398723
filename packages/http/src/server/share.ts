import { SlidingCount } from "@throughline/resilience";

/** Milliseconds over which it is counted. */
const WINDOW = 10_000;

/** Lets something happen to at most a share of all, over the last ten seconds. */
export class Share {
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

/** How many callers are told apart; of more, those that have not called for longest are forgotten. */
const MOST_CALLERS = 1024;

/** A share for each caller: what one of them takes is not taken from the others. */
export class SharePerCaller {
  readonly #most: number;
  readonly #shares = new Map<string | undefined, Share>();

  constructor(most: number) {
    this.#most = most;
  }

  of(caller: string | undefined): Share {
    const share = this.#shares.get(caller) ?? new Share(this.#most);
    // The map is in the order of the latest calls.
    this.#shares.delete(caller);
    this.#shares.set(caller, share);
    if (this.#shares.size > MOST_CALLERS) this.#shares.delete(this.#shares.keys().next().value);
    return share;
  }
}
