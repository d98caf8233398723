import { type Context, type Duration, oneOf, refuseUnknown } from "@throughline/context";
import { type BackoffOptions, checkRetryPolicy, retry, RetryBudget } from "@throughline/resilience";

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
  const { budget, attempts, backoff, attemptTimeout, ...others } = options;
  refuseUnknown(others, "create a fetch");
  if (typeof budget !== "function") oneOf("budget", budget, ["none"], "create a fetch");
  const policy = {
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff }),
    ...(attemptTimeout !== undefined && { attemptTimeout }),
  };
  checkRetryPolicy(policy);
  const budgetOf = typeof budget === "function" ? budget : budget === "none" ? () => undefined : budgetPerOrigin();
  return (under, call) => retrying(under, call, policy, budgetOf(originOf(call)));
}

async function retrying(
  under: Under,
  call: Call,
  policy: Omit<FetchRetry, "budget">,
  budget: RetryBudget | undefined,
): Promise<Attempt> {
  // What cannot be sent again is sent once.
  if (replayableBody(call) === undefined) return attemptFollowing(under, call);
  const isCutShort = policy.attemptTimeout !== undefined;
  try {
    return await retry(
      under.whole,
      async (head: Context, number) => {
        const made = await attemptFollowing({ ...under, head: isCutShort ? head : under.whole, number }, call);
        if (isUnsatisfying(made.response, call, isCutShort)) throw new Unsatisfying(made);
        return made;
      },
      {
        ...policy,
        ...(budget && { budget }),
        retryIf: (error) => isPassing(error, call, under.whole),
        retryAfter: (error) => (error instanceof Unsatisfying ? error.retryAfter : undefined),
        onRetry: ({ error }) => {
          if (error instanceof Unsatisfying) void error.attempt.response.body?.cancel();
        },
      },
    );
  } catch (error) {
    // There is no other attempt: what was answered is the answer.
    if (error instanceof Unsatisfying && under.whole.err() === undefined) return error.attempt;
    throw error;
  }
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
