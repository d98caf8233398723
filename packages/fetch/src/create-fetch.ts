import {
  type Context,
  current,
  describe,
  type Duration,
  milliseconds,
  withTimeout,
  isSuppressed,
} from "@throughline/context";
import { type ClientOptions, clientSettings } from "@throughline/http";

import type { Attempt } from "./attempt.ts";
import { type FetchArguments, readCall } from "./call.ts";
import { attemptFollowing } from "./follow-redirects.ts";
import { type FetchRetry, type Retrying, retryingWith } from "./retrying.ts";

/** A `fetch`, which also takes a `timeout` for one call. */
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
 * Makes a `fetch` that carries the current Context to the next service: the time that is left, the trace, and the end. When the
 * context ends while it connects, waits or reads the body, it rejects with the context's own error object; with less than a
 * millisecond to give it does not dial. A call's own `signal` works as ever. Outside of any request it behaves as the `fetch` it
 * wraps.
 *
 * Under a deadline it follows redirects itself, as the fetch standard does, so that each hop is told what is left by then.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function createFetch({ fetch: given, retry = false, ...options }: FetchOptions = {}): ContextFetch {
  if (given !== undefined && typeof given !== "function") {
    throw new TypeError(`Cannot create a fetch: 'fetch' must be a function: current value is ${describe(given)}`);
  }
  const settings = clientSettings(options, "create a fetch");
  const make = makingWith(retry);

  return async function fetch(...args: FetchArguments): Promise<Response> {
    const send = given ?? globalThis.fetch;
    const ctx = current();
    // Telemetry's own traffic is not to be cut short by the deadline of whoever happened to trigger it.
    if (isSuppressed(ctx)) return send(...(args as Parameters<typeof send>));
    const call = readCall(...args);
    return callWithin(ctx, call.timeout ?? settings.timeout, (whole) =>
      make({ whole, head: whole, fetch: send, settings, number: 1 }, call),
    );
  };
}

function makingWith(retry: boolean | FetchRetry): Retrying {
  if (retry === false) return attemptFollowing;
  if (retry === true) return retryingWith({});
  if (typeof retry === "object" && retry !== null) return retryingWith(retry);
  throw new TypeError(
    `Cannot create a fetch: 'retry' must be true, false or an object: current value is ${describe(retry)}`,
  );
}

/** Makes a call under a limit of its own, if it has one, until its body is over. */
async function callWithin(
  ctx: Context,
  timeout: Duration | undefined,
  make: (whole: Context) => Promise<Attempt>,
): Promise<Response> {
  if (timeout === undefined) return (await make(ctx)).response;
  const [whole, cancel] = withTimeout(ctx, milliseconds(timeout, "fetch"), { source: "timeout" });
  try {
    const { response, onceOver } = await make(whole);
    onceOver(cancel);
    return response;
  } catch (error) {
    cancel();
    throw error;
  }
}
