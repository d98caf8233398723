import { current } from "@throughline/context";
import { describeValue, isTracingSuppressed, remainingTime } from "@throughline/context/internal";
import { type ClientOptions } from "@throughline/http";
import { clientSettings } from "@throughline/http/adapter";

import { attempt } from "./attempt.ts";
import { Call, type FetchArguments } from "./call.ts";
import { type FetchRetry, type Sending, sendingWith } from "./retrying.ts";
import { withOptionalTimeout } from "./with-optional-timeout.ts";

/** A `fetch`, which also takes a `timeout` and a `ctx` for one call. */
export type ContextFetch = (...call: FetchArguments) => Promise<Response>;

export interface FetchOptions extends ClientOptions {
  /** What sends the request. @default the global `fetch`, looked up at each call */
  fetch?: typeof globalThis.fetch;
  /**
   * Tries again what may be tried again: calls of an idempotent method, or with an `Idempotency-Key`, whose connection failed, or that
   * were answered 429, 502, 503 or 504; and any call of which a service with this library says that nothing was started. Never after
   * a deadline, nor when the next attempt could only come after one; and no body that is a stream. `true` for the defaults. @default false
   */
  retry?: boolean | FetchRetry;
}

/**
 * Makes a `fetch` that carries the current Context, or that of `init.ctx`, to the next service: the time that is left, the trace, and the end. When
 * the context ends while it connects, waits or reads the body, it rejects with the context's own error object; with less than a millisecond to give it
 * does not dial. A call's own `signal` works as ever. Outside of any request it behaves as the `fetch` it wraps.
 *
 * The response is the object that the wrapped `fetch` gave. Redirects are followed by that `fetch`: each hop is told what is left by then, and what may
 * go to its own origin.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function createFetch({ fetch: given, retry = false, ...options }: FetchOptions = {}): ContextFetch {
  if (given !== undefined && typeof given !== "function") {
    throw new TypeError(`Cannot create a fetch: 'fetch' must be a function; received ${describeValue(given)}`);
  }
  const settings = clientSettings(options, "create a fetch");
  const send = sendingOf(retry);

  // Of the length that `fetch` has.
  return async function fetch(input, ...[init]): Promise<Response> {
    const bare = given ?? globalThis.fetch;
    const call = new Call(input, init);
    const ctx = call.ctx ?? current();
    // Telemetry's own active is not to be cut short by the deadline of whoever happened to trigger it.
    if (isTracingSuppressed(ctx)) return bare(input, init as RequestInit);
    const timeout = call.timeout === undefined ? settings.timeout : remainingTime(call.timeout, "fetch");
    const [callCtx, cancel] = withOptionalTimeout(ctx, timeout);
    const options = { callCtx, headCtx: callCtx, fetch: bare, settings, number: 1 };
    return send(options, call, cancel);
  };
}

function sendingOf(retry: boolean | FetchRetry): Sending {
  if (retry === false) return attempt;
  if (retry === true) return sendingWith({});
  if (typeof retry === "object" && retry !== null) return sendingWith(retry);
  throw new TypeError(
    `Cannot create a fetch: 'retry' must be true, false or an object; received ${describeValue(retry)}`,
  );
}
