import { afterFunc, type Context, current } from "@throughline/context";
import { isTracingSuppressed } from "@throughline/context/internal";
import { type ClientOptions } from "@throughline/http";
import {
  outboundCallIn,
  type ClientSettings,
  clientSettings,
  type OutboundCall,
  OUTCOME_HEADER,
} from "@throughline/http/adapter";

import { withOptionalTimeout } from "./call-context.ts";
import { headerIn, type HeaderList, withHeaders } from "./header-list.ts";
import { type CallObserver, UndiciCall } from "./undici-call.ts";

/** The options of a dispatch in undici 7 and 8, as far as the interceptor reads them. */
interface DispatchOptions {
  readonly origin?: string | URL | null;
  readonly path: string;
  readonly method: string;
  readonly headers?: HeaderList;
}

interface Controller {
  abort(reason: unknown): void;
}

/** undici's handler, whose methods it calls at each step of the request. */
interface Handler {
  onRequestStart?(controller: Controller, context: unknown): void;
  onRequestUpgrade?(controller: Controller, status: number, headers: unknown, socket: unknown): void;
  onResponseStart?(controller: Controller, status: number, headers: unknown, message?: string): void;
  onResponseData?(controller: Controller, chunk: unknown): void;
  onResponseEnd?(controller: Controller, trailers: unknown): void;
  onResponseError?(controller: Controller | undefined, error: unknown): void;
}

type Dispatch = (options: DispatchOptions, handler: Handler) => boolean;

/**
 * An interceptor for dispatchers of undici 7 and 8 that sends the current Context to the next service: for `request`,
 * `stream`, or a `fetch` with this dispatcher. When the context ends, also while the request waits for a connection,
 * the request fails with the context's own error object. undici's `fetch` makes it the `cause` of its own error.
 *
 * Compose it first: `new Agent().compose(contextInterceptor(), interceptors.redirect(), interceptors.retry())`. The
 * last interceptor is the outermost, so each redirect and each retry passes this one and gets its own headers and its
 * own remaining time.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function contextInterceptor(
  options: ClientOptions = {},
): <D extends (options: never, handler: never) => boolean>(dispatch: D, origin?: string | null) => D {
  const settings = clientSettings(options, "make an interceptor");
  return <D extends (options: never, handler: never) => boolean>(dispatch: D, origin?: string | null): D => {
    const send = dispatch as unknown as Dispatch;
    const intercepted: Dispatch = (request, handler) => {
      const ctx = originalContext(current());
      return isTracingSuppressed(ctx)
        ? send(request, handler)
        : dispatchUnder(ctx, send, request, handler, settings, origin);
    };
    return intercepted as unknown as D;
  };
}

/** The context in which each request was dispatched. */
const contexts = new WeakMap<OutboundCall, Context>();

/**
 * A redirect or retry interceptor dispatches the next request in the context of the last one, which has that request's
 * timeout: this returns the context of the original dispatch.
 */
function originalContext(ctx: Context): Context {
  const before = outboundCallIn(ctx);
  return (before && contexts.get(before)) ?? ctx;
}

function dispatchUnder(
  ctx: Context,
  send: Dispatch,
  request: DispatchOptions,
  handler: Handler,
  settings: ClientSettings,
  origin: string | null | undefined,
): boolean {
  const [callCtx, cancel] = withOptionalTimeout(ctx, settings.timeout);
  const outgoing = {
    method: request.method,
    url: urlOf(request, origin),
    attempt: 1,
    isTracedElsewhere: false,
    baggage: headerIn(request.headers, "baggage"),
  };
  let observing: ObservingHandler | undefined;
  try {
    const call = new UndiciCall(callCtx, outgoing, settings, NO_OBSERVER, false, true);
    contexts.set(call.outbound, ctx);
    const made = (observing = new ObservingHandler(callCtx, cancel, call, handler));
    const headers = withHeaders(request.headers, call.outbound.headers);
    return call.send(() => send({ ...request, headers }, made));
  } catch (error) {
    // Reported to the handler: an interceptor that dispatches in a callback cannot catch a thrown error.
    if (observing === undefined) {
      cancel();
      handler.onResponseError?.(undefined, error);
    } else {
      observing.onResponseError(undefined, error);
    }
    return true;
  }
}

/** The handler observes the call already. */
const NO_OBSERVER: CallObserver = { onEnd() {}, abort() {} };

/**
 * The request's URL. A pool has one origin, whatever the request names. A path that looks like a URL is still a path.
 */
function urlOf({ origin, path }: DispatchOptions, pooled: string | null | undefined): URL | undefined {
  if (pooled === null) return undefined;
  const base = URL.parse(String(pooled ?? origin));
  if (base === null) return undefined;
  return URL.parse(`${base.origin}${path.startsWith("/") ? "" : "/"}${path}`) ?? undefined;
}

/** Forwards to the request's handler, and ends the call with the request, which may fail before it starts. */
class ObservingHandler implements Handler {
  readonly #ctx: Context;
  readonly #cancel: () => void;
  readonly #call: UndiciCall;
  readonly #handler: Handler;
  readonly #stop: () => boolean;
  #controller: Controller | undefined;
  #isEnded = false;
  /** Whether the handler's `onResponseError` has been called. */
  #hasFailed = false;

  constructor(ctx: Context, cancel: () => void, call: UndiciCall, handler: Handler) {
    this.#ctx = ctx;
    this.#cancel = cancel;
    this.#call = call;
    this.#handler = handler;
    this.#stop = afterFunc(ctx, () => this.#abort());
  }

  onRequestStart(controller: Controller, context: unknown): void {
    if (this.#isEnded) return controller.abort(this.#ctx.err());
    this.#controller = controller;
    this.#call.outbound.sent();
    this.#handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(controller: Controller, status: number, headers: unknown, socket: unknown): void {
    this.#end();
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseStart(controller: Controller, status: number, headers: unknown, message?: string): void {
    if (status >= 200) this.#call.outbound.response(status);
    removeOutcome(headers);
    this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller: Controller, chunk: unknown): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: unknown): void {
    this.#end();
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  /** May be called after the end: undici reports an error that the handler's `onResponseEnd` throws. */
  onResponseError(controller: Controller | undefined, error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#end(error);
    this.#handler.onResponseError?.(controller, error);
  }

  #abort(): void {
    const error = this.#ctx.err();
    if (this.#controller === undefined) this.onResponseError(undefined, error);
    else this.#controller.abort(error);
  }

  #end(error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stop();
    this.#call.end(error);
    this.#cancel();
  }
}

/**
 * Removes the outcome header: a gateway that forwards the response would report the upstream's outcome as its own.
 * undici's channels, which remove it elsewhere, do not report responses of a mock.
 */
function removeOutcome(headers: unknown): void {
  if (typeof headers === "object" && headers !== null) delete (headers as Record<string, unknown>)[OUTCOME_HEADER];
}
