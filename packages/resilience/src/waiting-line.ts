import type { Context } from "@throughline/context";

import { CRITICALITIES, criticality, rank } from "./criticality.ts";

/** While newest is served first, the oldest gets one place of so many, so that nobody waits forever. */
const OLDEST_EVERY = 20;

/** Who waits for capacity. */
export interface Waiter {
  readonly ctx: Context;
}

/** A waiter, between those who came before and after it. */
interface Place<W> {
  readonly waiter: W;
  older: Place<W> | undefined;
  newer: Place<W> | undefined;
}

/** Waiters by the time of their arrival. Anybody can leave, in constant time. */
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
 * Who waits for capacity, and who is next: the oldest, until one of them is too late. From then on the line is longer
 * than its waiters' patience, and whoever came first would be served only to be too late as well; so the newest of the
 * most critical ones is next until the line is empty (adaptive LIFO).
 */
export class WaitingLine<W extends Waiter> {
  readonly #all = new Arrivals<W>();
  /** By {@link rank} of their criticality. */
  readonly #ranks: readonly Arrivals<W>[] = CRITICALITIES.map(() => new Arrivals<W>());
  #isTooLong = false;
  /** How many were served while the line was too long. */
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

  /** Whether waiters were too late since the line was last empty. */
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
    // The oldest has waited longest. Others may give up for reasons of their own, such as a sibling that failed.
    else if (waiter === this.oldest) this.tooLate();
    this.#all.delete(waiter);
    this.#rankOf(waiter).delete(waiter);
    if (this.size === 0) this.#isTooLong = false;
  }

  /** One that has waited was too late: its context has ended before the work was done. */
  tooLate(): void {
    if (this.size > 0) this.#isTooLong = true;
  }

  /**
   * The waiter to serve next. It passes over those that have less time left than the work takes, as long as there are
   * others.
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
