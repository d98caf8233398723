import { type Context, ContextError, type Duration, withCancel, withSignal } from "@throughline/context";
import { milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";
import { outcomeOf } from "@throughline/http";
import { causes, parseRetryAfter } from "@throughline/http/adapter";
import { type BackoffOptions, retry, RetryBudget, type RetryPolicy } from "@throughline/resilience";
import { checkRetryPolicy, LruMap } from "@throughline/resilience/internal";

import { attempt, type AttemptOptions } from "./attempt.ts";
import type { Call } from "./call.ts";

/** How a `fetch` retries. Which calls it retries is fixed: see {@link FetchOptions.retry}. */
export interface FetchRetry {
  /** The number of attempts, the first included. @default 3 */
  attempts?: number;
  /** The wait between attempts: full jitter within doubling bounds. A server's `Retry-After` takes precedence. */
  backoff?: BackoffOptions;
  /** How long one attempt may wait for its response head. @default no limit but the call's own */
  attemptTimeout?: Duration;
  /** The longest `Retry-After` to wait for. With a longer one the response is returned. @default "30s" */
  maxRetryAfter?: Duration;
  /**
   * The budget that limits the retries to an origin; `"none"` for no limit. @default one budget for each origin: a
   * fifth of its calls, and 10 a second
   */
  budget?: "none" | ((origin: string) => RetryBudget);
}

/** Makes a call, with retries if these are configured. It calls `onEnd` once, when the last attempt ends. */
export type SendCall = (options: AttemptOptions, call: Call, onEnd: () => void) => Promise<Response>;

/** The number of origins that a client keeps budgets for. */
const MAX_ORIGINS = 1000;

/**
 * Checks the options and returns a function that retries by them.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function sendWithRetry(options: FetchRetry): SendCall {
  const { budget, maxRetryAfter = "30s", attempts, backoff, attemptTimeout, ...others } = options;
  const action = "create a fetch";
  refuseUnknown(others, action);
  if (typeof budget !== "function") oneOf("budget", budget, ["none"], action);
  const longestWait = milliseconds(maxRetryAfter, action, "maxRetryAfter");
  const policy = {
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff }),
    ...(attemptTimeout !== undefined && { attemptTimeout }),
  };
  checkRetryPolicy(policy, action);
  const budgetOf = typeof budget === "function" ? budget : budget === "none" ? () => undefined : budgetPerOrigin();
  return (options, call, onEnd) => {
    if (!call.isReplayable) return attempt(options, call, onEnd);
    const budget = budgetOf(call.url?.origin ?? String(call.input));
    return attemptRepeatedly(options, call, onEnd, { ...policy, ...(budget && { budget }) }, longestWait);
  };
}

function budgetPerOrigin(): (origin: string) => RetryBudget {
  // The URL of a call that is not absolute must not become an attribute of metrics.
  const budgets = new LruMap(MAX_ORIGINS, (origin: string) =>
    URL.canParse(origin) ? new RetryBudget({ name: origin }) : new RetryBudget(),
  );
  return (origin) => budgets.get(origin);
}

/** @param longestWait the longest `Retry-After` to wait for, in milliseconds */
async function attemptRepeatedly(
  options: AttemptOptions,
  call: Call,
  onEnd: () => void,
  policy: RetryPolicy,
  longestWait: number,
): Promise<Response> {
  const { callCtx } = options;
  const isHeadLimited = policy.attemptTimeout !== undefined;
  /** The response heads of the current attempt: that of its response, and those of redirects before it. */
  let heads = 0;
  let hasLastEnded = false;
  let isDone = false;
  const once = async (headCtx: Context, number: number): Promise<Response> => {
    heads = 0;
    hasLastEnded = false;
    const onResponseHead = (): void => void (heads += 1);
    const response = await attempt(
      { ...options, headCtx: isHeadLimited ? headCtx : callCtx, attempt: number, onResponseHead },
      call,
      () => {
        hasLastEnded = true;
        if (isDone) onEnd();
      },
    );
    if (isTransientResponse(response, call, heads > 1)) throw new RetryableResponse(response);
    return response;
  };
  // The caller's own signal ends the waits between attempts too.
  const [ctx, cancel] = call.signal ? withSignal(callCtx, call.signal) : withCancel(callCtx);
  using _ = cancel;
  try {
    return await retry(ctx, once, {
      ...policy,
      retryIf: (error) => isTransient(error, call, heads > 0) && (retryAfterOf(error) ?? 0) <= longestWait,
      retryAfter: retryAfterOf,
      onRetry: ({ error }) => {
        if (error instanceof RetryableResponse) error.response.body?.cancel().catch(() => {});
      },
    });
  } catch (error) {
    callCtx.throwIfAborted();
    call.signal?.throwIfAborted();
    // There is no further attempt, so the caller gets the last response.
    if (error instanceof RetryableResponse) return error.response;
    throw error;
  } finally {
    isDone = true;
    if (hasLastEnded) onEnd();
  }
}

/** Methods that have the same effect when they are sent twice (RFC 9110, section 9.2.2; QUERY). */
const IDEMPOTENT_METHODS = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"]);

/** Statuses of a condition that may pass. */
const TRANSIENT_STATUSES = new Set([429, 502, 503, 504]);

/** Codes of errors after which the request was certainly not sent. */
const NOT_SENT_CODES = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/**
 * Codes of failed connections: system errors, and most errors of undici. The others of undici, and Node's own
 * `ERR_...`, stand for invalid calls, or for responses that would be the same again.
 */
const CONNECTION_CODE =
  /^(?:E(?!RR_)[A-Z_]+|UND_ERR_(?!INVALID|ABORTED|NOT_SUPPORTED|HEADERS_OVERFLOW|REQ_CONTENT_LENGTH|RES_EXCEEDED)[A-Z_]+)$/;

/** A response after which another attempt may succeed. */
class RetryableResponse extends Error {
  readonly response: Response;

  constructor(response: Response) {
    super(`status ${response.status}`);
    this.response = response;
  }
}

/** How long the server asks the client to wait, in milliseconds. */
function retryAfterOf(error: unknown): number | undefined {
  if (!(error instanceof RetryableResponse)) return undefined;
  return parseRetryAfter(error.response.headers?.get?.("retry-after"));
}

/** Whether the call may be made twice, by its method or by the caller's `Idempotency-Key`. */
function isIdempotent(call: Call): boolean {
  return IDEMPOTENT_METHODS.has(call.method) || call.header("idempotency-key") !== undefined;
}

/** @param wasRedirected whether another service has answered before by a redirect: it may have processed the call */
function isTransientResponse(response: Response, call: Call, wasRedirected: boolean): boolean {
  // A test double may be no response.
  if (!TRANSIENT_STATUSES.has(response?.status)) return false;
  const outcome = outcomeOf(response);
  // The service had all the time that was left.
  if (outcome?.outcome === "deadline-exceeded") return false;
  return isIdempotent(call) || (outcome?.started === false && !wasRedirected);
}

/**
 * Whether an error is a transient response, a failed connection, or the attempt's own timeout, and the call may be
 * repeated.
 *
 * @param hasResponded whether a service has answered in this attempt: then the request was sent
 */
function isTransient(error: unknown, call: Call, hasResponded: boolean): boolean {
  if (error instanceof RetryableResponse) return true;
  if (call.signal?.aborted) return false;
  if (error instanceof ContextError) return isIdempotent(call);
  const codes = [...causes(error)].map((each) => (each as NodeJS.ErrnoException).code);
  if (!hasResponded && codes.some((code) => code !== undefined && NOT_SENT_CODES.has(code))) return true;
  return isIdempotent(call) && codes.some((code) => code !== undefined && CONNECTION_CODE.test(code));
}
