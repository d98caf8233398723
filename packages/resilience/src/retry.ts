import { type Context, ContextError, type Duration, run, withCancel, withTimeout } from "@throughline/context";
import {
  describeValue,
  callable,
  milliseconds,
  parentOf,
  refuseUnknown,
  wholeNumber,
} from "@throughline/context/internal";

import { type Backoff, backoffOf, type BackoffOptions } from "./backoff.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { sleep } from "./sleep.ts";
import { untilEnd } from "./until-end.ts";

export interface RetryPolicy {
  /** How often it is tried in all. @default 3 */
  attempts?: number;
  /** How long to wait between attempts: full jitter within doubling bounds. */
  backoff?: BackoffOptions;
  /** How long one attempt may take; the context's deadline holds for all of them, and the waits between. @default no limit */
  attemptTimeout?: Duration;
  /** Bounds the retries of all calls that share it. @default none */
  budget?: RetryBudget;
  /** Whether an error is worth another attempt. Of errors of a context it is only asked for the `attemptTimeout`'s. @default all are */
  retryIf?: (error: unknown, attempt: number) => boolean;
  /** Milliseconds that whoever failed wants us to wait: never less than that is waited. `undefined` where it does not say. */
  retryAfter?: (error: unknown) => number | undefined;
  /** Told before each wait. */
  onRetry?: (retry: Retry) => void;
}

/** One retry that is about to be made. */
export interface Retry {
  readonly error: unknown;
  /** How many attempts there have been. */
  readonly attempts: number;
  /** Milliseconds until the next. */
  readonly wait: number;
}

/**
 * Tries until it goes well, under one deadline for all: that of the context. Each attempt runs under a context of its own, which is
 * `current()` in it and ends with it: read what it opens inside, as the body of a response.
 *
 * It gives up, with the last error as it is, when the attempts or the budget are used up, when the error is not worth another, and
 * at once when the next attempt could only come after the deadline. A `Canceled` or `DeadlineExceeded` is never retried,
 * unless it is that of the attempt's own `attemptTimeout`.
 *
 * @returns a promise that rejects with `ctx.err()`, at once, when the context ends
 * @throws TypeError, RangeError if an argument is wrong
 */
export async function retry<T>(
  ctx: Context,
  fn: (ctx: Context, attempt: number) => T | PromiseLike<T>,
  policy: RetryPolicy = {},
): Promise<T> {
  parentOf(ctx, ACTION);
  callable("fn", fn, ACTION);
  const settings = settingsOf(policy);
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
      if (!isWorthAnother(error, scope, attempt, settings)) throw error;
      // Added to what the server asks for, so that clients which were told the same time do not return together.
      const wait = askedWait(settings.retryAfter?.(error)) + settings.backoff(attempt);
      if (wait >= ctx.remaining() || settings.budget?.withdraw() === false) throw error;
      settings.onRetry?.({ error, attempts: attempt, wait });
      await sleep(ctx, wait);
    }
  }
}

/**
 * Checks a policy that is kept for later, as by whoever makes a client.
 *
 * @throws TypeError, RangeError if it is wrong
 */
export function checkRetryPolicy(policy: RetryPolicy, action: string): void {
  settingsOf(policy, action);
}

const ACTION = "retry";

interface Settings extends Pick<RetryPolicy, "budget" | "retryIf" | "retryAfter" | "onRetry"> {
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly attemptTimeout: number | undefined;
}

function settingsOf(policy: RetryPolicy, action = ACTION): Settings {
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

/** A callback of the user's may have read a header that is no number. */
function askedWait(ms: number | undefined): number {
  return ms !== undefined && ms > 0 ? ms : 0;
}

function attemptContext(ctx: Context, timeout: number | undefined): ReturnType<typeof withCancel> {
  return timeout === undefined ? withCancel(ctx) : withTimeout(ctx, timeout, { source: "attemptTimeout" });
}

function isWorthAnother(error: unknown, scope: Context, attempt: number, { attempts, retryIf }: Settings): boolean {
  if (attempt >= attempts) return false;
  // The context lives: that its attempt has ended can only be by the attempt's own timeout.
  if (error instanceof ContextError && error !== scope.err()) return false;
  return retryIf === undefined || retryIf(error, attempt);
}
