import { type CancelFunc, type Context, ContextError, type Duration, run, withCancel } from "@throughline/context";
import {
  callable,
  describeValue,
  milliseconds,
  now,
  parentOf,
  refuseUnknown,
  wholeNumber,
} from "@throughline/context/internal";

import { Percentile } from "./percentile.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { sleep } from "./sleep.ts";
import { untilEnd } from "./until-end.ts";

export interface HedgePolicy {
  /**
   * The time after which the next attempt starts if no result has arrived. A `Percentile` that is shared by all calls
   * of a kind records their durations and hedges the slowest of them. It does not hedge until it has 16 durations.
   */
  delay: Duration | Percentile;
  /** The number of attempts, including the first. @default 2 */
  attempts?: number;
  /**
   * Limits the additional attempts of all calls that share it: `new RetryBudget({ ratio: 0.05, minPerSecond: 1 })`.
   * @default none
   */
  budget?: RetryBudget;
  /**
   * Whether an error rejects the call immediately. After other errors the next attempt starts immediately.
   * @default never
   */
  isFatal?: (error: unknown) => boolean;
  /**
   * Whether an error is a request to send no further attempts. The running attempts then decide the outcome. Context
   * errors are always treated so.
   * @default never
   */
  isPushback?: (error: unknown) => boolean;
}

/**
 * Calls `fn`, and calls it again in parallel if there is no result after a delay. Returns the first result and cancels
 * the other attempts (gRFC A6). Use it for idempotent operations only. Each attempt runs in a context of its own, which
 * is `current()` during the attempt and ends with it: consume resources such as a response body inside `fn`.
 *
 * @returns a promise that rejects with `ctx.err()` as soon as the context ends, and with the last error if all attempts
 * fail
 * @throws TypeError, RangeError if an argument is invalid
 */
export async function hedge<T>(
  ctx: Context,
  fn: (ctx: Context, attempt: number) => T | PromiseLike<T>,
  policy: HedgePolicy,
): Promise<T> {
  parentOf(ctx, ACTION);
  callable("fn", fn, ACTION);
  const settings = readPolicy(policy);
  ctx.throwIfAborted();
  settings.budget?.deposit();
  const [scope, cancel] = withCancel(ctx);
  using _ = cancel;
  return await untilEnd(ctx, new HedgedCall(scope, fn, settings).start());
}

const ACTION = "hedge";

interface Settings extends Pick<HedgePolicy, "budget" | "isFatal" | "isPushback"> {
  readonly delay: number | Percentile;
  readonly attempts: number;
}

function readPolicy({ delay, attempts = 2, budget, isFatal, isPushback, ...others }: HedgePolicy): Settings {
  refuseUnknown(others, ACTION);
  if (budget !== undefined && typeof budget?.withdraw !== "function") {
    throw new TypeError(`Cannot ${ACTION}: 'budget' must be a RetryBudget; received ${describeValue(budget)}`);
  }
  for (const [name, value] of Object.entries({ isFatal, isPushback })) {
    if (value !== undefined) callable(name, value, ACTION);
  }
  return {
    delay: delay instanceof Percentile ? delay : milliseconds(delay, ACTION, "delay"),
    attempts: wholeNumber("attempts", attempts, 1, ACTION),
    ...(budget && { budget }),
    ...(isFatal && { isFatal }),
    ...(isPushback && { isPushback }),
  };
}

/** The state of one call. */
class HedgedCall<T> {
  readonly #ctx: Context;
  readonly #fn: (ctx: Context, attempt: number) => T | PromiseLike<T>;
  readonly #settings: Settings;
  readonly #result = Promise.withResolvers<T>();
  readonly #startedAt = now();
  #started = 0;
  #running = 0;
  #isPushedBack = false;
  /** Cancels the wait for the next attempt. */
  #stopWaiting: CancelFunc | undefined;

  constructor(ctx: Context, fn: (ctx: Context, attempt: number) => T | PromiseLike<T>, settings: Settings) {
    this.#ctx = ctx;
    this.#fn = fn;
    this.#settings = settings;
  }

  start(): Promise<T> {
    void this.#attempt();
    return this.#result.promise;
  }

  async #attempt(): Promise<void> {
    const attempt = ++this.#started;
    this.#running += 1;
    void this.#scheduleNext();
    const [scope, cancel] = withCancel(this.#ctx);
    using _ = cancel;
    try {
      const result = await run(scope, async () => this.#fn(scope, attempt));
      const { delay } = this.#settings;
      // Record the duration of the call, not of the fastest attempt: otherwise each successful hedge would cause more
      // hedges.
      if (delay instanceof Percentile) delay.add(now() - this.#startedAt);
      this.#result.resolve(result);
    } catch (error) {
      this.#running -= 1;
      try {
        this.#handleError(error);
      } catch (inner) {
        this.#result.reject(inner);
      }
    }
  }

  #handleError(error: unknown): void {
    const { isFatal, isPushback } = this.#settings;
    if (isFatal?.(error) === true) return this.#result.reject(error);
    this.#isPushedBack ||= error instanceof ContextError || isPushback?.(error) === true;
    if (this.#mayStartAnother()) void this.#attempt();
    else if (this.#running === 0) this.#result.reject(error);
  }

  /** Starts the next attempt after the delay, unless the call has completed. */
  async #scheduleNext(): Promise<void> {
    this.#stopWaiting?.();
    const { delay, attempts } = this.#settings;
    const wait = delay instanceof Percentile ? delay.value : delay;
    if (wait === undefined || this.#started >= attempts) return;
    const [waiting, stop] = withCancel(this.#ctx);
    this.#stopWaiting = stop;
    try {
      await sleep(waiting, wait);
    } catch {
      return;
    }
    if (this.#mayStartAnother()) void this.#attempt();
  }

  #mayStartAnother(): boolean {
    const { attempts, budget } = this.#settings;
    if (this.#isPushedBack || this.#started >= attempts || this.#ctx.err() !== undefined) return false;
    return budget?.withdraw() !== false;
  }
}
