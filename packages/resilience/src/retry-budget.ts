import { type Duration } from "@throughline/context";
import { describeValue, lazyInstruments, milliseconds, refuseUnknown } from "@throughline/context/internal";

import { SlidingCount } from "./sliding-count.ts";

export interface RetryBudgetOptions {
  /** Retries per call. @default 0.2 */
  ratio?: number;
  /** Additional retries per second, so that a client with few calls can retry. @default 10 */
  minPerSecond?: number;
  /** The period over which calls and retries are counted. @default "10s" */
  window?: Duration;
  /** The attribute `throughline.retry.budget` of the metric `throughline.retries`, such as the server. @default none */
  name?: string;
}

/** What a retry budget decided: `permitted` or `refused`. */
const ATTR_RETRY_DECISION = "throughline.retry.decision";
/** The name of the retry budget. `createFetch` names its budgets after their origins. */
const ATTR_RETRY_BUDGET = "throughline.retry.budget";

const retryInstruments = lazyInstruments("@throughline/resilience", (meter) => ({
  retries: meter.createCounter("throughline.retries", {
    description: "Retries that a retry budget permitted or refused.",
    unit: "{retry}",
  }),
}));

/**
 * Limits the retries of all calls that share it, usually the calls to one destination. With the default ratio, retries
 * add at most a fifth to the load of an overloaded server, instead of multiplying it (as in Finagle's `RetryBudget`).
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #reserve: number;
  readonly #calls: SlidingCount;
  readonly #retries: SlidingCount;
  readonly #name: string | undefined;

  /** @throws TypeError, RangeError if an option is invalid */
  constructor({ ratio = 0.2, minPerSecond = 10, window = "10s", name, ...others }: RetryBudgetOptions = {}) {
    const action = "create a retry budget";
    refuseUnknown(others, action);
    for (const [name, value] of Object.entries({ ratio, minPerSecond })) {
      if (typeof value === "number" && value >= 0 && value < Infinity) continue;
      throw new RangeError(`Cannot ${action}: '${name}' must be zero or more; received ${describeValue(value)}`);
    }
    const ms = milliseconds(window, action, "window");
    if (ms === 0)
      throw new RangeError(`Cannot ${action}: 'window' must be more than zero; received ${describeValue(window)}`);
    if (name !== undefined && typeof name !== "string") {
      throw new TypeError(`Cannot ${action}: 'name' must be a string; received ${describeValue(name)}`);
    }
    this.#name = name;
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
    const isPermitted = this.#retries.total + 1 <= this.#reserve + this.#ratio * this.#calls.total;
    if (isPermitted) this.#retries.add();
    retryInstruments()?.retries.add(1, {
      [ATTR_RETRY_DECISION]: isPermitted ? "permitted" : "refused",
      ...(this.#name === undefined ? undefined : { [ATTR_RETRY_BUDGET]: this.#name }),
    });
    return isPermitted;
  }
}
