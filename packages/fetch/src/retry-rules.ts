import { ContextError } from "@throughline/context";
import { causes, outcomeOf, parseRetryAfter } from "@throughline/http";

import type { Attempt } from "./attempt.ts";
import type { Call } from "./call.ts";

/** Methods that can be sent twice to the same effect as once (RFC 9110, 9.2.2; QUERY). */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"]);

/** Statuses that may be another next time. */
const PASSING = new Set([429, 502, 503, 504]);

/** What kept a request from ever being sent. */
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Whether the call may be made twice: its method says so, or the caller does. */
function isIdempotent({ method, headers }: Call): boolean {
  return IDEMPOTENT.has(method) || headers.has("idempotency-key");
}

/** A response that another attempt may better. */
export class Unsatisfying extends Error {
  readonly attempt: Attempt;

  constructor(attempt: Attempt) {
    super(`status ${attempt.response.status}`);
    this.attempt = attempt;
  }

  /** Milliseconds that its server asks to wait. */
  get retryAfter(): number | undefined {
    return parseRetryAfter(this.attempt.response.headers.get("retry-after"));
  }
}

/**
 * Whether a response is worth another attempt.
 *
 * @param hasArrived whether another service had answered before, by a redirect: what came of the call there nobody knows
 */
export function isUnsatisfying(response: Response, call: Call, hasArrived: boolean): boolean {
  if (!PASSING.has(response.status)) return false;
  const outcome = outcomeOf(response);
  // It had all the time that there was.
  if (outcome?.outcome === "deadline-exceeded") return false;
  return isIdempotent(call) || (outcome?.started === false && !hasArrived);
}

/** Whether an error is worth another attempt: the connection's, or the attempt's own timeout. */
export function isPassing(error: unknown, call: Call, hasArrived: boolean): boolean {
  if (error instanceof Unsatisfying) return true;
  if (call.signal?.aborted) return false;
  if (error instanceof ContextError) return isIdempotent(call);
  const codes = [...causes(error)].map((each) => (each as NodeJS.ErrnoException).code);
  if (!hasArrived && codes.some((code) => code !== undefined && NEVER_SENT.has(code))) return true;
  return isIdempotent(call) && codes.some((code) => code !== undefined && OF_A_CONNECTION.test(code));
}

/** Of the system, or of undici; Node's own, `ERR_...`, are of a call that is wrong. */
const OF_A_CONNECTION = /^(?:E(?!RR_)[A-Z_]+|UND_ERR_(?!INVALID|ABORTED|NOT_SUPPORTED)[A-Z_]+)$/;
