import type { Context } from "@throughline/context";

import { CRITICALITIES, criticality, rank } from "./criticality.ts";

/** While the newest waiter is served first, the oldest gets one of so many grants, so that none waits forever. */
const OLDEST_EVERY = 20;

/** A caller that waits for capacity. */
export interface Waiter {
  readonly ctx: Context;
}

/** A node of the linked list: a waiter, the next older and the next newer one. */
interface Place<W> {
  readonly waiter: W;
  older: Place<W> | undefined;
  newer: Place<W> | undefined;
}

/** Waiters in the order of their arrival: a linked list, from which each can be removed in constant time. */
class Arrivals<W> {
  readonly #places = new Map<W, Place<W>>();
  oldest: Place<W> | undefined;
  newest: Place<W> | undefined;

  get size(): number {
    return this.#places.size;
  }

  has(waiter: W): boolean {
    return this.#places.has(waiter);
  }

  add(waiter: W): void {
    const place: Place<W> = { waiter, older: this.newest, newer: undefined };
    if (this.newest === undefined) this.oldest = place;
    else this.newest.newer = place;
    this.newest = place;
    this.#places.set(waiter, place);
  }

  delete(waiter: W): void {
    const place = this.#places.get(waiter)!;
    this.#places.delete(waiter);
    if (place.older === undefined) this.oldest = place.newer;
    else place.older.newer = place.newer;
    if (place.newer === undefined) this.newest = place.older;
    else place.newer.older = place.older;
  }
}

/**
 * A queue of waiters for capacity. It is first-in-first-out until a waiter is too late. All earlier waiters would then be
 * too late as well, so from then on it is last-in-first-out, the most critical waiters first, until it is empty (adaptive
 * LIFO).
 */
export class WaitingLine<W extends Waiter> {
  readonly #all = new Arrivals<W>();
  /** By {@link rank} of their criticality. */
  readonly #ranks: readonly Arrivals<W>[] = CRITICALITIES.map(() => new Arrivals<W>());
  #isTooLong = false;
  /** The number of grants while the queue was too long. */
  #served = 0;

  get size(): number {
    return this.#all.size;
  }

  get oldest(): W | undefined {
    return this.#all.oldest?.waiter;
  }

  get newest(): W | undefined {
    return this.#all.newest?.waiter;
  }

  /** Whether a waiter was too late since the queue was last empty. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  has(waiter: W): boolean {
    return this.#all.has(waiter);
  }

  add(waiter: W): void {
    this.#all.add(waiter);
    this.#rankOf(waiter).add(waiter);
  }

  /** Removes a waiter that is served, or whose context has ended. */
  delete(waiter: W): void {
    if (!this.has(waiter)) return;
    if (waiter.ctx.err() === undefined) this.#served += this.#isTooLong ? 1 : 0;
    // Only the oldest waiter: others may end for other reasons, such as a sibling that failed.
    else if (waiter === this.oldest) this.tooLate();
    this.#all.delete(waiter);
    this.#rankOf(waiter).delete(waiter);
    if (this.size === 0) this.#isTooLong = false;
  }

  /** Records that a waiter was too late: its context ended before its work was done. */
  tooLate(): void {
    if (this.size > 0) this.#isTooLong = true;
  }

  /**
   * Returns the waiter to serve next. Waiters whose remaining time is shorter than the work takes are skipped while there
   * are others.
   *
   * @param time milliseconds that the work usually takes, if that is known
   */
  next(time: (waiter: W) => number | undefined): W | undefined {
    const canFinish = ({ waiter }: Place<W>): boolean => {
      const remaining = waiter.ctx.remaining();
      return remaining === Infinity || remaining >= (time(waiter) ?? 0);
    };
    const { oldest } = this.#all;
    if (!this.#isTooLong) {
      if (oldest === undefined || canFinish(oldest)) return oldest?.waiter;
      this.tooLate();
    }
    if ((this.#served + 1) % OLDEST_EVERY === 0) return (firstOf(oldest, "newer", canFinish) ?? oldest)?.waiter;
    for (let at = this.#ranks.length - 1; at >= 0; at--) {
      const next = firstOf(this.#ranks[at]!.newest, "older", canFinish);
      if (next !== undefined) return next.waiter;
    }
    return this.newest;
  }

  #rankOf({ ctx }: W): Arrivals<W> {
    return this.#ranks[rank(criticality(ctx))]!;
  }
}

/** The first place, from this one on in a direction, that passes the test. */
function firstOf<W>(
  from: Place<W> | undefined,
  direction: "older" | "newer",
  test: (place: Place<W>) => boolean,
): Place<W> | undefined {
  let place = from;
  while (place !== undefined && !test(place)) place = place[direction];
  return place;
}
