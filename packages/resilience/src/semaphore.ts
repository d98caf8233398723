import { afterFunc, type Context } from "@throughline/context";
import { parentOf, wholeNumber } from "@throughline/context/internal";

/**
 * Releases an acquired weight. A second call does nothing. `using _ = await semaphore.acquire(ctx)` releases it at the
 * end of the block.
 */
export type Release = (() => void) & Disposable;

interface Waiter {
  readonly weight: number;
  grant(): void;
}

/**
 * A weighted semaphore (Go: `x/sync/semaphore.Weighted`). It serves waiters in order: a small weight does not overtake
 * a large one.
 */
export class Semaphore {
  readonly #size: number;
  #held = 0;
  readonly #waiters = new Set<Waiter>();

  /**
   * @param size the total weight that can be held at a time
   * @throws RangeError if it is neither a whole number of at least 1 nor `Infinity`
   */
  constructor(size: number) {
    this.#size = wholeNumber("size", size, 1, "create a semaphore");
  }

  /**
   * Waits until the weight is free, and holds it. A weight above the semaphore's size waits until the context ends,
   * without blocking other waiters.
   *
   * @returns a promise that rejects with `ctx.err()` as soon as the context ends; nothing is held then
   * @throws RangeError if the weight is neither a whole number of at least 0 nor `Infinity`
   */
  async acquire(ctx: Context, weight = 1): Promise<Release> {
    parentOf(ctx, "acquire a semaphore");
    wholeNumber("weight", weight, 0, "acquire a semaphore");
    ctx.throwIfAborted();
    const release = this.#tryHold(weight);
    if (release !== undefined) return release;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        weight,
        grant: () => {
          // False if the context has ended, even if its callback has not run yet.
          if (stop()) resolve(this.#hold(weight));
        },
      };
      const stop = afterFunc(ctx, () => {
        this.#waiters.delete(waiter);
        reject(ctx.err());
        this.#grant();
      });
      if (weight <= this.#size) this.#waiters.add(waiter);
    });
  }

  /** Holds the weight if it is free and nothing waits; otherwise returns `undefined`. */
  tryAcquire(weight = 1): Release | undefined {
    return this.#tryHold(wholeNumber("weight", weight, 0, "acquire a semaphore"));
  }

  #tryHold(weight: number): Release | undefined {
    return this.#waiters.size === 0 && this.#held + weight <= this.#size ? this.#hold(weight) : undefined;
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

  /** Serves waiters in order while their weight is free. */
  #grant(): void {
    for (const waiter of this.#waiters) {
      if (this.#held + waiter.weight > this.#size) return;
      this.#waiters.delete(waiter);
      waiter.grant();
    }
  }
}
