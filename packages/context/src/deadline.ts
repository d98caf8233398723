import { now } from "./clock.ts";
import type { TimerEntry } from "./timer-heap.ts";

/** The last point of time that a Date can hold (ECMA-262, 21.4.1.1). */
const LATEST = 8.64e15;

/** The scope that a deadline ends. */
interface Expiring {
  poll(): unknown;
}

/** A deadline. The scope that sets it, and all scopes below that have no earlier one, share this object. */
export class Deadline implements TimerEntry {
  /** On the monotonic clock. */
  readonly at: number;
  /** Milliseconds from when it was set. */
  readonly budget: number;
  readonly cause: unknown;
  readonly source: string | undefined;
  /** The scope that set it; assigned by that scope. */
  owner!: Expiring;
  /** Place in the timer heap; -1 while no listener waits for it. */
  slot = -1;
  #epoch: number | undefined;

  constructor(at: number, budget: number, cause: unknown, source: string | undefined, epoch: number | undefined) {
    this.at = at;
    this.budget = budget;
    this.cause = cause;
    this.source = source;
    this.#epoch = epoch;
  }

  due(): void {
    this.owner.poll();
  }

  /** On the wall clock. Fixed at the first call: later jumps of that clock do not change it. */
  get epoch(): number {
    return (this.#epoch ??= Math.min(LATEST, Date.now() + (this.at - now())));
  }
}
