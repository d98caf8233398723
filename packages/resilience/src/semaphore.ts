import { afterFunc, type Context } from "@throughline/context";
import { now, parentOf, wholeNumber } from "@throughline/context/internal";

import { Percentile } from "./percentile.ts";
import { type Waiter, WaitingLine } from "./waiting-line.ts";

/**
 * Releases an acquired weight. A second call does nothing. `using _ = await semaphore.acquire(ctx)` releases it at the
 * end of the block.
 */
export type Release = (() => void) & Disposable;

interface WeightWaiter extends Waiter {
  readonly weight: number;
  grant(): void;
}

/**
 * A weighted semaphore (Go: `x/sync/semaphore.Weighted`). It serves waiters in order: a small weight does not overtake
 * a large one.
 *
 * Under overload, that order would serve each waiter too late. When the context of the oldest waiter ends, or that of
 * work that had to wait before the work is done, the semaphore serves the newest waiter first, by criticality
 * (`withCriticality`), until no waiter is left. The oldest waiter gets one of 20 grants. Waiters whose remaining time is
 * shorter than the usual time that weights are held are skipped.
 */
export class Semaphore {
  readonly #size: number;
  #held = 0;
  readonly #line = new WaitingLine<WeightWaiter>();
  /** The waiter whose large weight is not free yet: nobody overtakes it. */
  #blocked: WeightWaiter | undefined;
  /** How long weights are held, in milliseconds. */
  readonly #holdTime = new Percentile(0.5);

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
      const waiter: WeightWaiter = {
        ctx,
        weight,
        grant: () => {
          // False if the context has ended, even if its callback has not run yet.
          if (stop()) resolve(this.#hold(weight, ctx));
        },
      };
      const stop = afterFunc(ctx, () => {
        this.#leave(waiter);
        reject(ctx.err());
        this.#grant();
      });
      if (weight <= this.#size) this.#line.add(waiter);
    });
  }

  /** Holds the weight if it is free and nothing waits; otherwise returns `undefined`. */
  tryAcquire(weight = 1): Release | undefined {
    return this.#tryHold(wholeNumber("weight", weight, 0, "acquire a semaphore"));
  }

  #tryHold(weight: number): Release | undefined {
    return this.#line.size === 0 && this.#held + weight <= this.#size ? this.#hold(weight) : undefined;
  }

  /** @param waited the context of the holder, if it had to wait */
  #hold(weight: number, waited?: Context): Release {
    this.#held += weight;
    const from = now();
    let isHeld = true;
    const release = (() => {
      if (!isHeld) return;
      isHeld = false;
      this.#held -= weight;
      this.#holdTime.add(now() - from);
      if (waited?.err() !== undefined) this.#line.tooLate();
      this.#grant();
    }) as Release;
    release[Symbol.dispose] = release;
    return release;
  }

  /** Serves waiters while their weight is free. */
  #grant(): void {
    for (;;) {
      const waiter = this.#blocked ?? this.#line.next(() => this.#holdTime.value);
      if (waiter === undefined) return;
      if (this.#held + waiter.weight > this.#size) {
        if (waiter.weight > 1) this.#blocked = waiter;
        return;
      }
      this.#leave(waiter);
      waiter.grant();
    }
  }

  #leave(waiter: WeightWaiter): void {
    this.#line.delete(waiter);
    if (this.#blocked === waiter) this.#blocked = undefined;
  }
}
