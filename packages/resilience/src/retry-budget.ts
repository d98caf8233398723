import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

import { SlidingCount } from "./sliding-count.ts";

export interface RetryBudgetOptions {
  /** Retries per call. @default 0.2 */
  ratio?: number;
  /** Additional retries per second, so that a client with few calls can retry. @default 10 */
  minPerSecond?: number;
  /** The period over which calls and retries are counted. @default "10s" */
  window?: Duration;
}

/**
 * Limits the retries of all calls that share it, usually the calls to one destination. With the default ratio, retries
 * add at most a fifth to the load of an overloaded server, instead of multiplying it (as in Finagle's `RetryBudget`).
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #reserve: number;
  readonly #calls: SlidingCount;
  readonly #retries: SlidingCount;

  /** @throws TypeError, RangeError if an option is invalid */
  constructor({ ratio = 0.2, minPerSecond = 10, window = "10s", ...others }: RetryBudgetOptions = {}) {
    const action = "create a retry budget";
    refuseUnknown(others, action);
    for (const [name, value] of Object.entries({ ratio, minPerSecond })) {
      if (typeof value === "number" && value >= 0 && value < Infinity) continue;
      throw new RangeError(`Cannot ${action}: '${name}' must be zero or more; received ${describeValue(value)}`);
    }
    const ms = milliseconds(window, action, "window");
    if (ms === 0)
      throw new RangeError(`Cannot ${action}: 'window' must be more than zero; received ${describeValue(window)}`);
    this.#ratio = ratio;
    this.#reserve = (minPerSecond * ms) / 1000;
    this.#calls = new SlidingCount(ms);
    this.#retries = new SlidingCount(ms);
  }

  /** Records the first attempt of a call. */
  deposit(): void {
    this.#calls.add();
  }

  /** Records a retry and returns true if the budget permits it; otherwise returns false. */
  withdraw(): boolean {
    if (this.#retries.total + 1 > this.#reserve + this.#ratio * this.#calls.total) return false;
    this.#retries.add();
    return true;
  }
}
