import { afterFunc, type Context } from "@throughline/context";
import { parentOf, wholeNumber } from "@throughline/context/internal";

/** Gives back what was acquired. A second call does nothing. `using _ = await semaphore.acquire(ctx)` does it at the end of the block. */
export type Release = (() => void) & Disposable;

interface Waiting {
  readonly weight: number;
  grant(): void;
}

/**
 * Lets so much through at a time (Go: `x/sync/semaphore.Weighted`). First come, first served: one that needs much is not
 * overtaken by those who need little.
 */
export class Semaphore {
  readonly #size: number;
  #held = 0;
  readonly #waiting = new Set<Waiting>();

  /** @throws RangeError if the size is not a whole number of at least 1 */
  constructor(size: number) {
    this.#size = wholeNumber("size", size, 1, "make a semaphore");
  }

  /**
   * Waits for so much to be free, and takes it. More than there is at all is never free: it waits for the context to end, and keeps nobody
   * from being served.
   *
   * @returns a promise that rejects with `ctx.err()`, at once, when the context ends first or has ended; nothing is held then
   * @throws RangeError if the weight is not a whole number of at least 0
   */
  async acquire(ctx: Context, weight = 1): Promise<Release> {
    parentOf(ctx, "acquire a semaphore");
    wholeNumber("weight", weight, 0, "acquire a semaphore");
    ctx.throwIfAborted();
    const free = this.#take(weight);
    if (free !== undefined) return free;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        weight,
        grant: () => {
          // One that was told of the end, even if it has not been called yet, gets nothing.
          if (stop()) resolve(this.#hold(weight));
        },
      };
      const stop = afterFunc(ctx, () => {
        this.#waiting.delete(waiting);
        reject(ctx.err());
        this.#grant();
      });
      if (weight <= this.#size) this.#waiting.add(waiting);
    });
  }

  /** Takes so much if it is free at once and nobody waits for it; else `undefined`. */
  tryAcquire(weight = 1): Release | undefined {
    return this.#take(wholeNumber("weight", weight, 0, "acquire a semaphore"));
  }

  #take(weight: number): Release | undefined {
    return this.#waiting.size === 0 && this.#held + weight <= this.#size ? this.#hold(weight) : undefined;
  }

  #hold(weight: number): Release {
    this.#held += weight;
    let isHeld = true;
    const release = (() => {
      if (!isHeld) return;
      isHeld = false;
      this.#held -= weight;
      this.#grant();
    }) as Release;
    release[Symbol.dispose] = release;
    return release;
  }

  /** Serves from the front as many as there is room for. */
  #grant(): void {
    for (const waiting of this.#waiting) {
      if (this.#held + waiting.weight > this.#size) return;
      this.#waiting.delete(waiting);
      waiting.grant();
    }
  }
}
