import { now } from "./clock.ts";
import type { Scope } from "./scope.ts";
import type { Alarm } from "./timers.ts";

/** The last point of time that a Date can hold (ECMA-262, 21.4.1.1). */
const LATEST = 8.64e15;

/** A deadline: the scope that set it, and all below that have no earlier one, point here. */
export class Limit implements Alarm {
  /** When, on the monotonic clock. */
  readonly at: number;
  /** Milliseconds granted when it was set. */
  readonly budget: number;
  readonly cause: unknown;
  readonly source: string | undefined;
  /** Whose deadline this is; set by the scope itself. */
  scope!: Scope;
  /** Place in the heap of armed deadlines; -1 while nobody watches. */
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
    this.scope.poll();
  }

  /** The deadline on the wall clock, fixed when first asked for: later jumps of that clock do not change the answer. */
  get epoch(): number {
    return (this.#epoch ??= Math.min(LATEST, Date.now() + (this.at - now())));
  }
}
