import { type Context, current, describe } from "@throughline/context";
import {
  type ClientOptions,
  type ClientSettings,
  ClientSpan,
  clientSettings,
  injectTrace,
  isSuppressed,
  outboundDeadline,
  refuseUnknown,
} from "@throughline/http";

import { linkSignals } from "./linked-signal.ts";
import { isTracedElsewhere } from "./traced-elsewhere.ts";
import { watchedResponse } from "./watched-response.ts";

type Fetch = typeof globalThis.fetch;
type FetchArguments = [input: Parameters<Fetch>[0], init?: RequestInit];

export interface FetchOptions extends ClientOptions {
  /** What sends the request. @default the global `fetch`, looked up at each call */
  fetch?: Fetch;
}

/**
 * Makes a `fetch` that carries the current Context to the next service: the time that is left, the trace, and the end. When the
 * context ends while it connects, waits or reads the body, it rejects with the context's own error object; with less than a
 * millisecond to give it does not dial. A call's own `signal` works as ever. Outside of any request it behaves as the `fetch` it
 * wraps.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function createFetch({ fetch: given, ...options }: FetchOptions = {}): Fetch {
  if (given !== undefined && typeof given !== "function") {
    throw new TypeError(`Cannot create a fetch: 'fetch' must be a function: current value is ${describe(given)}`);
  }
  const { margin: _margin, dialect: _dialect, ...others } = options;
  refuseUnknown(others, "create a fetch");
  const settings = clientSettings(options, "create a fetch");

  return async function fetch(...call: FetchArguments): Promise<Response> {
    const send = given ?? globalThis.fetch;
    const ctx = current();
    // Telemetry's own traffic is not to be cut short by the deadline of whoever happened to trigger it.
    return isSuppressed(ctx) ? send(...call) : sendUnder(ctx, send, call, settings);
  };
}

async function sendUnder(
  ctx: Context,
  send: Fetch,
  [input, init]: FetchArguments,
  settings: ClientSettings,
): Promise<Response> {
  const request = input instanceof Request ? input : undefined;
  const headers = new Headers(init?.headers ?? request?.headers);
  const deadline = outboundDeadline(ctx, settings);
  if (deadline !== undefined) headers.set(deadline.header, deadline.value);

  const span = isTracedElsewhere()
    ? undefined
    : startSpan(ctx, init?.method ?? request?.method, request?.url ?? String(input));
  if (span !== undefined) injectTrace(span.ctx, headers, { set: (carrier, name, value) => carrier.set(name, value) });

  const link = linkSignals(ctx, init?.signal === undefined ? request?.signal : init.signal);
  const over = (error?: unknown): void => {
    link.release();
    span?.end(error);
  };
  try {
    const response = await send(input, { ...init, headers, signal: link.signal });
    span?.response(response.status);
    return watchedResponse(response, over);
  } catch (error) {
    over(error);
    throw error;
  }
}

function startSpan(ctx: Context, method: string | undefined, url: string): ClientSpan {
  return ClientSpan.start(ctx, (method ?? "GET").toUpperCase(), new URL(url));
}
