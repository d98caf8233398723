import { ContextError } from "@throughline/context";
import { outcomeOf } from "@throughline/http";
import { causes, parseRetryAfter } from "@throughline/http/adapter";

import type { Call } from "./call.ts";

/** Methods that can be sent twice to the same effect as once (RFC 9110, 9.2.2; QUERY). */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"]);

/** Statuses that may be another next time. */
const TRANSIENT_STATUSES = new Set([429, 502, 503, 504]);

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
function isIdempotent(call: Call): boolean {
  return IDEMPOTENT.has(call.method) || call.header("idempotency-key") !== undefined;
}

/** A response that another attempt may better. */
export class RetryableResponse extends Error {
  readonly response: Response;

  constructor(response: Response) {
    super(`status ${response.status}`);
    this.response = response;
  }

  /** Milliseconds that its server asks to wait. */
  get retryAfter(): number | undefined {
    return parseRetryAfter(this.response.headers?.get?.("retry-after"));
  }
}

/**
 * Whether a response is worth another attempt.
 *
 * @param hasArrived whether another service had answered before, by a redirect: what came of the call there is not known
 */
export function isTransientResponse(response: Response, call: Call, hasArrived: boolean): boolean {
  // A double may be anything.
  if (!TRANSIENT_STATUSES.has(response?.status)) return false;
  const outcome = outcomeOf(response);
  // It had all the time that there was.
  if (outcome?.outcome === "deadline-exceeded") return false;
  return isIdempotent(call) || (outcome?.started === false && !hasArrived);
}

/** Whether an error is worth another attempt: a transient response, the connection's error, or the attempt's own timeout. */
export function isTransient(error: unknown, call: Call, hasArrived: boolean): boolean {
  if (error instanceof RetryableResponse) return true;
  if (call.signal?.aborted) return false;
  if (error instanceof ContextError) return isIdempotent(call);
  const codes = [...causes(error)].map((each) => (each as NodeJS.ErrnoException).code);
  if (!hasArrived && codes.some((code) => code !== undefined && NEVER_SENT.has(code))) return true;
  return isIdempotent(call) && codes.some((code) => code !== undefined && OF_A_CONNECTION.test(code));
}

/** Of the system, or of undici; Node's own, `ERR_...`, are of a call that is wrong. So are some of undici's, or their response will not be another. */
const OF_A_CONNECTION =
  /^(?:E(?!RR_)[A-Z_]+|UND_ERR_(?!INVALID|ABORTED|NOT_SUPPORTED|HEADERS_OVERFLOW|REQ_CONTENT_LENGTH|RES_EXCEEDED)[A-Z_]+)$/;
