import type { Context } from "@throughline/context";

/** While newest is served first, the oldest gets one place of so many, so that nobody waits forever. */
const OLDEST_EVERY = 20;

/** Who waits for capacity. */
export interface Waiter {
  readonly ctx: Context;
}

/** A waiter in its line. */
interface Place<W> {
  readonly waiter: W;
  older: Place<W> | undefined;
  newer: Place<W> | undefined;
}

/**
 * Who waits for capacity, and who is next: the oldest, until one of them is too late. From then on the line is longer
 * than its waiters' patience, and whoever came first would be served only to be too late as well; so the newest is next
 * until the line is empty (adaptive LIFO).
 */
export class WaitingLine<W extends Waiter> {
  readonly #places = new Map<W, Place<W>>();
  #oldest: Place<W> | undefined;
  #newest: Place<W> | undefined;
  #isTooLong = false;
  /** How many were served while the line was too long. */
  #served = 0;

  get size(): number {
    return this.#places.size;
  }

  get oldest(): W | undefined {
    return this.#oldest?.waiter;
  }

  get newest(): W | undefined {
    return this.#newest?.waiter;
  }

  /** Whether waiters were too late since the line was last empty. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  has(waiter: W): boolean {
    return this.#places.has(waiter);
  }

  add(waiter: W): void {
    const place: Place<W> = { waiter, older: this.#newest, newer: undefined };
    if (this.#newest === undefined) this.#oldest = place;
    else this.#newest.newer = place;
    this.#newest = place;
    this.#places.set(waiter, place);
  }

  /** Removes a waiter that is served, or whose context has ended. */
  delete(waiter: W): void {
    const place = this.#places.get(waiter);
    if (place === undefined) return;
    this.#places.delete(waiter);
    if (waiter.ctx.err() === undefined) this.#served += this.#isTooLong ? 1 : 0;
    // The oldest has waited longest. Others may give up for reasons of their own, such as a sibling that failed.
    else if (place === this.#oldest) this.tooLate();
    if (place.older === undefined) this.#oldest = place.newer;
    else place.older.newer = place.newer;
    if (place.newer === undefined) this.#newest = place.older;
    else place.newer.older = place.older;
    if (this.#places.size === 0) this.#isTooLong = false;
  }

  /** One that has waited was too late: its context has ended before the work was done. */
  tooLate(): void {
    if (this.#places.size > 0) this.#isTooLong = true;
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
    if (!this.#isTooLong) {
      if (this.#oldest === undefined || canFinish(this.#oldest)) return this.#oldest?.waiter;
      this.tooLate();
    }
    const isOldestsTurn = (this.#served + 1) % OLDEST_EVERY === 0;
    const first = isOldestsTurn ? this.#oldest : this.#newest;
    let place = first;
    while (place !== undefined && !canFinish(place)) place = isOldestsTurn ? place.newer : place.older;
    return (place ?? first)?.waiter;
  }
}
