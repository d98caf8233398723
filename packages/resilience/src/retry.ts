import { type Context, ContextError, type Duration, run, withCancel, withTimeout } from "@throughline/context";
import {
  describeValue,
  callable,
  milliseconds,
  parentOf,
  refuseUnknown,
  wholeNumber,
} from "@throughline/context/internal";

import type { RetryBudget } from "./retry-budget.ts";
import { sleep } from "./sleep.ts";
import { untilEnd } from "./until-end.ts";

/** The wait before the next attempt. */
export interface BackoffOptions {
  /** The longest wait before the second attempt. It doubles with each further attempt. @default "50ms" */
  base?: Duration;
  /** The longest wait before any attempt. @default "2s" */
  max?: Duration;
}

export interface RetryPolicy {
  /** The number of attempts, including the first. @default 3 */
  attempts?: number;
  /** The wait between attempts: exponential backoff with full jitter. */
  backoff?: BackoffOptions;
  /** The timeout of each attempt. The context's deadline applies to all attempts and waits together. @default none */
  attemptTimeout?: Duration;
  /** Limits the retries of all calls that share it. @default none */
  budget?: RetryBudget;
  /**
   * Whether to retry after an error. Of context errors it is only called for those of `attemptTimeout`.
   * @default always
   */
  retryIf?: (error: unknown, attempt: number) => boolean;
  /**
   * Returns the shortest wait that the server requests, in milliseconds, or `undefined`. The backoff is added to it.
   */
  retryAfter?: (error: unknown) => number | undefined;
  /** Called before each wait. */
  onRetry?: (retry: Retry) => void;
}

/** A retry that is about to be made. */
export interface Retry {
  readonly error: unknown;
  /** The number of attempts so far. */
  readonly attempts: number;
  /** Milliseconds until the next attempt. */
  readonly wait: number;
}

/**
 * Calls `fn` until it succeeds. The deadline of `ctx` applies to all attempts together. Each attempt runs in a context
 * of its own, which is `current()` during the attempt and ends with it: consume resources such as a response body
 * inside `fn`.
 *
 * It rejects with the last error, unchanged, when the attempts or the budget are used up, when `retryIf` returns false,
 * and when the next attempt could only start after the deadline. It does not retry a `Canceled` or `DeadlineExceeded`,
 * except that of `attemptTimeout`.
 *
 * @returns a promise that rejects with `ctx.err()` as soon as the context ends
 * @throws TypeError, RangeError if an argument is invalid
 */
export async function retry<T>(
  ctx: Context,
  fn: (ctx: Context, attempt: number) => T | PromiseLike<T>,
  policy: RetryPolicy = {},
): Promise<T> {
  parentOf(ctx, ACTION);
  callable("fn", fn, ACTION);
  const settings = readPolicy(policy);
  settings.budget?.deposit();
  for (let attempt = 1; ; attempt++) {
    ctx.throwIfAborted();
    const [scope, cancel] = attemptContext(ctx, settings.attemptTimeout);
    using _ = cancel;
    try {
      return await untilEnd(
        scope,
        run(scope, async () => fn(scope, attempt)),
      );
    } catch (error) {
      ctx.throwIfAborted();
      if (!isRetryable(error, scope, attempt, settings)) throw error;
      // The backoff is added to the server's wait, so that clients with the same wait do not retry together.
      const wait = requestedWait(settings.retryAfter?.(error)) + settings.backoff(attempt);
      if (wait >= ctx.remaining() || settings.budget?.withdraw() === false) throw error;
      settings.onRetry?.({ error, attempts: attempt, wait });
      await sleep(ctx, wait);
    }
  }
}

/**
 * Checks a policy for later use, such as an option of a client.
 *
 * @throws TypeError, RangeError if it is invalid
 */
export function checkRetryPolicy(policy: RetryPolicy, action: string): void {
  readPolicy(policy, action);
}

const ACTION = "retry";

interface Settings extends Pick<RetryPolicy, "budget" | "retryIf" | "retryAfter" | "onRetry"> {
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly attemptTimeout: number | undefined;
}

function readPolicy(policy: RetryPolicy, action = ACTION): Settings {
  const { attempts = 3, backoff = {}, attemptTimeout, budget, retryIf, retryAfter, onRetry, ...others } = policy;
  refuseUnknown(others, action);
  if (budget !== undefined && typeof budget?.withdraw !== "function") {
    throw new TypeError(`Cannot ${action}: 'budget' must be a RetryBudget; received ${describeValue(budget)}`);
  }
  for (const [name, value] of Object.entries({ retryIf, retryAfter, onRetry })) {
    if (value !== undefined) callable(name, value, action);
  }
  return {
    attempts: wholeNumber("attempts", attempts, 1, action),
    backoff: backoffOf(backoff, action),
    attemptTimeout: attemptTimeout === undefined ? undefined : milliseconds(attemptTimeout, action, "attemptTimeout"),
    ...(budget && { budget }),
    ...(retryIf && { retryIf }),
    ...(retryAfter && { retryAfter }),
    ...(onRetry && { onRetry }),
  };
}

/** `retryAfter` may return NaN for a malformed header. */
function requestedWait(ms: number | undefined): number {
  return ms !== undefined && ms > 0 ? ms : 0;
}

function attemptContext(ctx: Context, timeout: number | undefined): ReturnType<typeof withCancel> {
  return timeout === undefined ? withCancel(ctx) : withTimeout(ctx, timeout, { source: "attemptTimeout" });
}

function isRetryable(error: unknown, scope: Context, attempt: number, { attempts, retryIf }: Settings): boolean {
  if (attempt >= attempts) return false;
  // `ctx` has not ended, so the attempt's context can only have ended by its own timeout.
  if (error instanceof ContextError && error !== scope.err()) return false;
  return retryIf === undefined || retryIf(error, attempt);
}

const MAX_DOUBLINGS = 64;

/** Returns the milliseconds to wait after the given number of attempts. */
type Backoff = (attempts: number) => number;

/**
 * Exponential backoff with full jitter: a random wait between zero and a bound that doubles with each attempt, so that
 * clients that failed together do not retry together.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
function backoffOf(options: BackoffOptions, action: string): Backoff {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${action}: 'backoff' must be an object; received ${describeValue(options)}`);
  }
  const { base = 50, max = 2000, ...others } = options;
  refuseUnknown(others, action);
  const [baseMs, maxMs] = [milliseconds(base, action, "base"), milliseconds(max, action, "max")];
  // With more doublings the factor is infinite, and a `base` of 0 times infinity is NaN.
  return (attempts) => Math.random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempts - 1, MAX_DOUBLINGS));
}
