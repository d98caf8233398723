import { current } from "@throughline/context";
import { describeValue, isTracingSuppressed, remainingTime } from "@throughline/context/internal";
import { type ClientOptions } from "@throughline/http";
import { clientSettings } from "@throughline/http/adapter";

import { attempt } from "./attempt.ts";
import { withOptionalTimeout } from "./call-context.ts";
import { Call, type FetchArguments } from "./call.ts";
import { type FetchRetry, type SendCall, sendWithRetry } from "./retries.ts";

/** A `fetch` whose `init` may also have a `ctx` and a `timeout`. */
export type ContextFetch = (...call: FetchArguments) => Promise<Response>;

export interface FetchOptions extends ClientOptions {
  /** The `fetch` to wrap. @default the global `fetch`, looked up at each call */
  fetch?: typeof globalThis.fetch;
  /**
   * Retries a call if its method is idempotent, or it has an `Idempotency-Key`, and its connection failed or the
   * status is 429, 502, 503 or 504. It retries any call that was certainly not sent, or of which the service reports
   * that nothing was started. It does not retry after a deadline, if the next attempt would start after the deadline,
   * or if the body is a stream. `true` for the defaults. @default false
   */
  retry?: boolean | FetchRetry;
}

/**
 * Creates a `fetch` that sends the current Context, or `init.ctx`, to the next service: the remaining time and the
 * trace. When the context ends while the call connects, waits or reads the body, the call rejects with the context's
 * own error object. With less than a millisecond left it rejects without connecting. The caller's own `signal` works
 * as usual. Outside of a request the call behaves as the wrapped `fetch` does.
 *
 * The response is the object that the wrapped `fetch` returns. That `fetch` also follows redirects; each hop is sent
 * the time that is left by then, and the headers that may go to its origin.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function createFetch({ fetch: wrapped, retry = false, ...options }: FetchOptions = {}): ContextFetch {
  if (wrapped !== undefined && typeof wrapped !== "function") {
    throw new TypeError(`Cannot create a fetch: 'fetch' must be a function; received ${describeValue(wrapped)}`);
  }
  const settings = clientSettings(options, "create a fetch");
  const send = senderFor(retry);

  // The rest parameter keeps `length` at 1, as that of the platform's fetch.
  return async function fetch(input, ...[init]): Promise<Response> {
    const target = wrapped ?? globalThis.fetch;
    const call = new Call(input, init);
    const ctx = call.ctx ?? current();
    // Requests of telemetry must not end at the deadline of the request that happened to trigger them.
    if (isTracingSuppressed(ctx)) return target(input, init as RequestInit);
    const timeout = call.timeout === undefined ? settings.timeout : remainingTime(call.timeout, "fetch");
    const [callCtx, cancel] = withOptionalTimeout(ctx, timeout);
    return send({ callCtx, headCtx: callCtx, fetch: target, settings, attempt: 1 }, call, cancel);
  };
}

function senderFor(retry: boolean | FetchRetry): SendCall {
  if (retry === false) return attempt;
  if (retry === true) return sendWithRetry({});
  if (typeof retry === "object" && retry !== null) return sendWithRetry(retry);
  throw new TypeError(
    `Cannot create a fetch: 'retry' must be true, false or an object; received ${describeValue(retry)}`,
  );
}
