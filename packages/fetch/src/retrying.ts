import {
  type Context,
  type Duration,
  milliseconds,
  oneOf,
  refuseUnknown,
  withCancel,
  withSignal,
} from "@throughline/context";
import { type BackoffOptions, checkRetryPolicy, retry, RetryBudget, type RetryPolicy } from "@throughline/resilience";

import type { Attempt, Under } from "./attempt.ts";
import { type Call, replayableBody } from "./call.ts";
import { attemptFollowing } from "./follow-redirects.ts";
import { isPassing, isUnsatisfying, Unsatisfying } from "./retry-rules.ts";

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

/** Makes a call, again if need be. */
export type Retrying = (under: Under, call: Call) => Promise<Attempt>;

/**
 * Checks the options once.
 *
 * @throws TypeError, RangeError if one is wrong
 */
export function retryingWith(options: FetchRetry): Retrying {
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
  return (under, call) => {
    // What cannot be sent again is sent once.
    if (replayableBody(call) === undefined) return attemptFollowing(under, call);
    const budget = budgetOf(originOf(call));
    return retrying(under, call, { ...policy, ...(budget && { budget }) }, longest);
  };
}

async function retrying(under: Under, call: Call, policy: RetryPolicy, longest: number): Promise<Attempt> {
  const isHeadLimited = policy.attemptTimeout !== undefined;
  // How many heads have come: of the last answer, and of those that redirected before.
  let heads = 0;
  const once = async (head: Context, number: number): Promise<Attempt> => {
    heads = 0;
    const arrived = (): void => void (heads += 1);
    const made = await attemptFollowing({ ...under, head: isHeadLimited ? head : under.whole, number, arrived }, call);
    if (isUnsatisfying(made.response, call, heads > 1)) throw new Unsatisfying(made);
    return made;
  };
  // The caller's own signal ends the waits as well.
  const [ctx, cancel] = call.signal ? withSignal(under.whole, call.signal) : withCancel(under.whole);
  using _ = cancel;
  try {
    return await retry(ctx, once, {
      ...policy,
      retryIf: (error) => isPassing(error, call, heads > 0) && (waitAskedBy(error) ?? 0) <= longest,
      retryAfter: waitAskedBy,
      onRetry: ({ error }) => {
        if (error instanceof Unsatisfying) void error.attempt.response.body?.cancel();
      },
    });
  } catch (error) {
    under.whole.throwIfDone();
    call.signal?.throwIfAborted();
    // There is no other attempt: what was answered is the answer.
    if (error instanceof Unsatisfying) return error.attempt;
    throw error;
  }
}

function waitAskedBy(error: unknown): number | undefined {
  return error instanceof Unsatisfying ? error.retryAfter : undefined;
}

/** How many origins are told apart: a client of more forgets those that it has not called for longest. */
const MOST_ORIGINS = 1000;

function budgetPerOrigin(): (origin: string) => RetryBudget {
  const budgets = new Map<string, RetryBudget>();
  return (origin) => {
    const budget = budgets.get(origin) ?? new RetryBudget();
    budgets.delete(origin);
    budgets.set(origin, budget);
    if (budgets.size > MOST_ORIGINS) budgets.delete(budgets.keys().next().value!);
    return budget;
  };
}

function originOf({ url }: Call): string {
  return URL.parse(url)?.origin ?? url;
}
