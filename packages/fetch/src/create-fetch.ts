import { type Context, current, describe } from "@throughline/context";
import {
  type ClientOptions,
  type ClientSettings,
  ClientSpan,
  clientSettings,
  injectTrace,
  isSuppressed,
  outboundDeadline,
} from "@throughline/http";

import { type Call, type FetchArguments, readCall } from "./call.ts";
import { linkSignals } from "./linked-signal.ts";
import { rebodied } from "./rebodied.ts";
import { isTracedElsewhere } from "./traced-elsewhere.ts";
import { watchedBody } from "./watched-body.ts";

type Fetch = typeof globalThis.fetch;

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
  const settings = clientSettings(options, "create a fetch");

  return async function fetch(...call: FetchArguments): Promise<Response> {
    const send = given ?? globalThis.fetch;
    const ctx = current();
    // Telemetry's own traffic is not to be cut short by the deadline of whoever happened to trigger it.
    return isSuppressed(ctx) ? send(...call) : sendUnder(ctx, send, readCall(...call), settings);
  };
}

async function sendUnder(ctx: Context, send: Fetch, call: Call, settings: ClientSettings): Promise<Response> {
  const { headers } = call;
  const deadline = outboundDeadline(ctx, settings);
  if (deadline !== undefined) headers.set(deadline.header, deadline.value);

  const isTraced = isTracedElsewhere();
  const span = isTraced ? undefined : startSpan(ctx, call);
  if (!isTraced) injectTrace(span?.ctx ?? ctx, headers, { set: (carrier, name, value) => carrier.set(name, value) });

  // Whichever is first: the body's end, an error before it, or the end of the context, after which nobody may look at the body.
  const over = (error?: unknown): void => {
    link.release();
    span?.end(error, call.signal?.aborted);
  };
  const link = linkSignals(ctx, call.signal, over);
  try {
    const response = await send(call.input, { ...call.init, headers, signal: link.signal });
    span?.response(response.status);
    if (response.body !== null) {
      const body = watchedBody(response.body, (end) => over(end.how === "failed" ? end.error : undefined));
      return rebodied(response, body.stream);
    }
    over();
    return response;
  } catch (error) {
    over(error);
    throw error;
  }
}

/** The call's span; none where nothing goes over HTTP. */
function startSpan(ctx: Context, { method, url }: Call): ClientSpan | undefined {
  const parsed = URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? ClientSpan.start(ctx, method, parsed) : undefined;
}
