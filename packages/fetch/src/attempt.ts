import { afterFunc, type Context, run } from "@throughline/context";
import { type ClientSettings, OutboundCall, unmarked } from "@throughline/http";

import type { Call, Redirect } from "./call.ts";
import { linkSignals } from "./linked-signal.ts";
import { rebodied } from "./rebodied.ts";
import { isTracedElsewhere } from "./traced-elsewhere.ts";
import { watchProgress } from "./undici-progress.ts";
import { watchedBody } from "./watched-body.ts";

/** What attempts are made under. */
export interface Under {
  /** What the whole call must be over with, the body included. */
  readonly whole: Context;
  /** What the head of the response must be here by: the same, or one with an earlier end. */
  readonly head: Context;
  readonly fetch: typeof globalThis.fetch;
  readonly settings: ClientSettings;
  /** 1 for the first. */
  readonly number: number;
  /** Told when a response has come, be it one that redirects: then the call has arrived, and is not to be made twice unless it may. */
  readonly arrived?: () => void;
}

/** One request and its response. */
export interface Attempt {
  readonly response: Response;
  /** Calls back once the body is read, or nobody wants it, or it cannot be read; at once if that has been before. */
  readonly onceOver: (callback: () => void) => void;
}

/**
 * Sends one request.
 *
 * @throws ContextError that of the context which ends before the head of the response is here
 */
export async function attempt(under: Under, call: Call, redirect: Redirect): Promise<Attempt> {
  const { head, whole, number } = under;
  watchProgress();
  // A head that is late is tried again; the service has as long for the body as the whole call has.
  const outbound = OutboundCall.begin(
    whole,
    {
      method: call.method,
      url: httpUrl(call.url),
      attempt: number,
      isTracedElsewhere: isTracedElsewhere(),
      baggage: call.headers.get("baggage") ?? undefined,
    },
    under.settings,
  );
  const headers = new Headers(call.headers);
  for (const [name, value] of outbound.headers) headers.set(name, value);

  const over = Promise.withResolvers<void>();
  // Whichever is first: the body's end, an error before it, or the end of the context, after which nobody may look at the body.
  const end = (error?: unknown): void => {
    link.release();
    stopWaiting();
    outbound.end(error, call.signal?.aborted);
    over.resolve();
  };
  const link = linkSignals(whole, call.signal, end);
  const stopWaiting = head === whole ? () => true : afterFunc(head, () => link.abort(head.err()));
  try {
    const init = { ...call.init, headers, redirect, signal: link.signal };
    const response = await run(outbound.ctx, () => under.fetch(call.input, init));
    outbound.response(response.status);
    under.arrived?.();
    stopWaiting();
    const onceOver = (callback: () => void): void => void over.promise.then(callback);
    if (response.body === null) {
      end();
      return { response: unmarked(rebodied(response, null)), onceOver };
    }
    const body = watchedBody(response.body, (ended) => end(ended.how === "failed" ? ended.error : undefined), {
      isDropTold: true,
    });
    return { response: unmarked(rebodied(response, body.stream)), onceOver };
  } catch (error) {
    end(error);
    throw error;
  }
}

/** `undefined` where nothing goes over HTTP. */
function httpUrl(url: string): URL | undefined {
  const parsed = URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed : undefined;
}
