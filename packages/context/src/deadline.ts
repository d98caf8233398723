import { now } from "./clock.ts";
import type { TimerEntry } from "./timer-heap.ts";

/** The latest time that a Date can represent (ECMA-262, 21.4.1.1). */
const LATEST = 8.64e15;

/** The scope that a deadline ends. */
interface Expiring {
  poll(): unknown;
}

/** A deadline. The scope that sets it shares this object with all scopes below that have no earlier deadline. */
export class Deadline implements TimerEntry {
  /** On the monotonic clock. */
  readonly at: number;
  /** Milliseconds from the time when it was set. */
  readonly budget: number;
  readonly cause: unknown;
  readonly source: string | undefined;
  /** The scope that set it; assigned by that scope. */
  owner!: Expiring;
  /** Index in the timer heap; -1 while nothing listens to the scope. */
  slot = -1;
  #epoch: number | undefined;

  constructor(at: number, budget: number, cause: unknown, source: string | undefined, epoch: number | undefined) {
    this.at = at;
    this.budget = budget;
    this.cause = cause;
    this.source = source;
    this.#epoch = epoch;
  }

  fire(): void {
    this.owner.poll();
  }

  /** On the wall clock. Computed at the first use: later changes of that clock do not affect it. */
  get epoch(): number {
    return (this.#epoch ??= Math.min(LATEST, Date.now() + (this.at - now())));
  }
}
