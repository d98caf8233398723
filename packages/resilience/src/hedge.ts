import { type CancelFunc, type Context, ContextError, type Duration, run, withCancel } from "@throughline/context";
import {
  callable,
  describeValue,
  milliseconds,
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
   * How long to wait for an attempt before another is made beside it. A `Percentile` is told how long calls take: kept, and given to all
   * calls of a kind, it has those hedged that are slower than most. While it knows too little there is no hedge.
   */
  delay: Duration | Percentile;
  /** How often it is tried in all. @default 2 */
  attempts?: number;
  /** Bounds the extra attempts of all calls that share it: `new RetryBudget({ ratio: 0.05, minPerSecond: 1 })`. @default none */
  budget?: RetryBudget;
  /** Whether an error ends it all. Others have the next attempt made at once. @default none does */
  isFatal?: (error: unknown) => boolean;
  /**
   * Whether whoever failed asks not to be tried again for now: then there is no further attempt, and those that run decide. So it is with
   * errors of a context. @default none does
   */
  isPushback?: (error: unknown) => boolean;
}

/**
 * Makes an attempt, and another beside it where the first takes too long, and gives the first result; the losers are cancelled (gRFC
 * A6). Only for what may be done twice. Each attempt runs under a context of its own, which is `current()` in it and ends with it: read what it
 * opens inside, as the body of a response.
 *
 * @returns a promise that rejects with `ctx.err()`, at once, when the context ends; with the last error when all attempts fail
 * @throws TypeError, RangeError if an argument is wrong
 */
export async function hedge<T>(
  ctx: Context,
  fn: (ctx: Context, attempt: number) => T | PromiseLike<T>,
  policy: HedgePolicy,
): Promise<T> {
  parentOf(ctx, ACTION);
  callable("fn", fn, ACTION);
  const settings = settingsOf(policy);
  ctx.throwIfAborted();
  settings.budget?.deposit();
  const [scope, cancel] = withCancel(ctx);
  using _ = cancel;
  return await untilEnd(ctx, new Hedged(scope, fn, settings).start());
}

const ACTION = "hedge";

interface Settings extends Pick<HedgePolicy, "budget" | "isFatal" | "isPushback"> {
  readonly delay: number | Percentile;
  readonly attempts: number;
}

function settingsOf({ delay, attempts = 2, budget, isFatal, isPushback, ...others }: HedgePolicy): Settings {
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

/** One call, while its attempts are under way. */
class Hedged<T> {
  readonly #ctx: Context;
  readonly #fn: (ctx: Context, attempt: number) => T | PromiseLike<T>;
  readonly #settings: Settings;
  readonly #result = Promise.withResolvers<T>();
  readonly #from = performance.now();
  #made = 0;
  #running = 0;
  #isPushedBack = false;
  /** Ends the wait for the next attempt. */
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
    const attempt = ++this.#made;
    this.#running += 1;
    void this.#scheduleNext();
    const [scope, cancel] = withCancel(this.#ctx);
    using _ = cancel;
    try {
      const result = await run(scope, async () => this.#fn(scope, attempt));
      const { delay } = this.#settings;
      // How long the call took, not its quickest attempt: else each hedge that is won would have more calls hedged.
      if (delay instanceof Percentile) delay.add(performance.now() - this.#from);
      this.#result.resolve(result);
    } catch (error) {
      this.#running -= 1;
      try {
        this.#failed(error);
      } catch (inner) {
        this.#result.reject(inner);
      }
    }
  }

  #failed(error: unknown): void {
    const { isFatal, isPushback } = this.#settings;
    if (isFatal?.(error) === true) return this.#result.reject(error);
    this.#isPushedBack ||= error instanceof ContextError || isPushback?.(error) === true;
    if (this.#mayGoOn()) void this.#attempt();
    else if (this.#running === 0) this.#result.reject(error);
  }

  /** Has the next attempt made in a while, if nothing has come by then. */
  async #scheduleNext(): Promise<void> {
    this.#stopWaiting?.();
    const { delay, attempts } = this.#settings;
    const wait = delay instanceof Percentile ? delay.value : delay;
    if (wait === undefined || this.#made >= attempts) return;
    const [waiting, stop] = withCancel(this.#ctx);
    this.#stopWaiting = stop;
    try {
      await sleep(waiting, wait);
    } catch {
      return;
    }
    if (this.#mayGoOn()) void this.#attempt();
  }

  #mayGoOn(): boolean {
    const { attempts, budget } = this.#settings;
    if (this.#isPushedBack || this.#made >= attempts || this.#ctx.err() !== undefined) return false;
    return budget?.withdraw() !== false;
  }
}
