import { type Context, type Duration, withCancel, withSignal } from "@throughline/context";
import { milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";
import { type BackoffOptions, retry, RetryBudget, type RetryPolicy } from "@throughline/resilience";
import { checkRetryPolicy, LruMap } from "@throughline/resilience/internal";

import { attempt, type AttemptOptions } from "./attempt.ts";
import type { Call } from "./call.ts";
import { isTransient, isTransientResponse, RetryableResponse } from "./retry-rules.ts";

/** How a `fetch` tries again. What may be tried again it knows by itself: see {@link FetchOptions.retry}. */
export interface FetchRetry {
  /** How often it is tried in all. @default 3 */
  attempts?: number;
  /** How long to wait between attempts: full jitter within doubling bounds; a server's `Retry-After` is heeded. */
  backoff?: BackoffOptions;
  /** How long one attempt may wait for the head of its response. @default no limit but the whole call's */
  attemptTimeout?: Duration;
  /** The longest that a server may ask to wait; one that asks for more has its response taken as the answer. @default "30s" */
  maxRetryAfter?: Duration;
  /** The budget that bounds the retries to an origin. `"none"` for no bound. @default one for each origin: a fifth of its calls, and 10 a second */
  budget?: "none" | ((origin: string) => RetryBudget);
}

/** Makes a call, again if need be; `over` is called once when the last attempt is over. */
export type Sending = (options: AttemptOptions, call: Call, over: () => void) => Promise<Response>;

/**
 * Checks the options once.
 *
 * @throws TypeError, RangeError if one is wrong
 */
export function sendingWith(options: FetchRetry): Sending {
  const { budget, maxRetryAfter = "30s", attempts, backoff, attemptTimeout, ...others } = options;
  const action = "create a fetch";
  refuseUnknown(others, action);
  if (typeof budget !== "function") oneOf("budget", budget, ["none"], action);
  const longest = milliseconds(maxRetryAfter, action, "maxRetryAfter");
  const policy = {
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff }),
    ...(attemptTimeout !== undefined && { attemptTimeout }),
  };
  checkRetryPolicy(policy, action);
  const budgetOf = typeof budget === "function" ? budget : budget === "none" ? () => undefined : budgetPerOrigin();
  return (options, call, over) => {
    // What cannot be sent again is sent once.
    if (!call.isReplayable) return attempt(options, call, over);
    const budget = budgetOf(call.url?.origin ?? String(call.input));
    return retrying(options, call, over, { ...policy, ...(budget && { budget }) }, longest);
  };
}

async function retrying(
  options: AttemptOptions,
  call: Call,
  over: () => void,
  policy: RetryPolicy,
  longest: number,
): Promise<Response> {
  const { callCtx } = options;
  const isHeadLimited = policy.attemptTimeout !== undefined;
  // How many heads have come in the last attempt: of its response, and of those that redirected before.
  let arrivals = 0;
  let isLastOver = false;
  let isDone = false;
  const once = async (headCtx: Context, number: number): Promise<Response> => {
    arrivals = 0;
    isLastOver = false;
    const arrived = (): void => void (arrivals += 1);
    const response = await attempt(
      { ...options, headCtx: isHeadLimited ? headCtx : callCtx, number, arrived },
      call,
      () => {
        isLastOver = true;
        if (isDone) over();
      },
    );
    if (isTransientResponse(response, call, arrivals > 1)) throw new RetryableResponse(response);
    return response;
  };
  // The caller's own signal ends the waits as well.
  const [ctx, cancel] = call.signal ? withSignal(callCtx, call.signal) : withCancel(callCtx);
  using _ = cancel;
  try {
    return await retry(ctx, once, {
      ...policy,
      retryIf: (error) => isTransient(error, call, arrivals > 0) && (waitAskedBy(error) ?? 0) <= longest,
      retryAfter: waitAskedBy,
      onRetry: ({ error }) => {
        if (error instanceof RetryableResponse) error.response.body?.cancel().catch(() => {});
      },
    });
  } catch (error) {
    callCtx.throwIfAborted();
    call.signal?.throwIfAborted();
    // There is no other attempt: what was answered is the answer.
    if (error instanceof RetryableResponse) return error.response;
    throw error;
  } finally {
    isDone = true;
    if (isLastOver) over();
  }
}

function waitAskedBy(error: unknown): number | undefined {
  return error instanceof RetryableResponse ? error.retryAfter : undefined;
}

/** How many origins a client keeps budgets for. */
const MOST_ORIGINS = 1000;

function budgetPerOrigin(): (origin: string) => RetryBudget {
  const budgets = new LruMap<string, RetryBudget>(MOST_ORIGINS, () => new RetryBudget());
  return (origin) => budgets.get(origin);
}
