import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

import { SlidingCount } from "./sliding-count.ts";

export interface RetryBudgetOptions {
  /** How many retries there may be for each call, on average. @default 0.2 */
  ratio?: number;
  /** Retries a second that there may be besides, so that a client of few calls can retry at all. @default 10 */
  minPerSecond?: number;
  /** Over how long it is counted. @default "10s" */
  window?: Duration;
}

/**
 * Bounds how many retries there are for all the calls that share it, usually those to one destination: a client may then add a fifth to a
 * load that is too much already, where each call by itself would multiply it (as in Finagle's `RetryBudget`).
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #reserve: number;
  readonly #calls: SlidingCount;
  readonly #retries: SlidingCount;

  /** @throws TypeError, RangeError if an option is wrong */
  constructor({ ratio = 0.2, minPerSecond = 10, window = "10s", ...others }: RetryBudgetOptions = {}) {
    const action = "make a retry budget";
    refuseUnknown(others, action);
    for (const [name, value] of Object.entries({ ratio, minPerSecond })) {
      if (typeof value === "number" && value >= 0 && value < Infinity) continue;
      throw new RangeError(`Cannot ${action}: '${name}' must be zero or more; received ${describeValue(value)}`);
    }
    const ms = milliseconds(window, action, "window");
    if (ms === 0) throw new RangeError(`Cannot ${action}: 'window' must be more than zero`);
    this.#ratio = ratio;
    this.#reserve = (minPerSecond * ms) / 1000;
    this.#calls = new SlidingCount(ms);
    this.#retries = new SlidingCount(ms);
  }

  /** Counts a call, its first attempt. */
  deposit(): void {
    this.#calls.add();
  }

  /** Whether there may be one more retry; if so it counts as having been made. */
  withdraw(): boolean {
    if (this.#retries.total + 1 > this.#reserve + this.#ratio * this.#calls.total) return false;
    this.#retries.add();
    return true;
  }
}
