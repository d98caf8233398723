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

import { headerIn, type HeaderList, withHeaders } from "./header-list.ts";
import { type CallObserver, UndiciCall } from "./undici-call.ts";
import { withOptionalTimeout } from "./with-optional-timeout.ts";

/** What a dispatcher of undici 7 and 8 is asked for, as far as we look at it. */
interface DispatchOptions {
  readonly origin?: string | URL | null;
  readonly path: string;
  readonly method: string;
  readonly headers?: HeaderList;
}

interface Controller {
  abort(reason: unknown): void;
}

/** Whom it tells of the request and its response. */
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
 * Carries the current Context to the next service for those who call undici itself, by `request`, `stream` or a `fetch` with this dispatcher, in
 * undici 7 and 8. A request under a context that ends, also while it waits for a connection, fails with that context's own error object
 * (which undici's `fetch` gives as the cause of its own).
 *
 * Compose it first: `new Agent().compose(contextInterceptor(), interceptors.redirect(), interceptors.retry())`. The last is the outermost: whoever
 * redirects or retries then has each of its requests told what may go where, and what is left by then.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function contextInterceptor(
  options: ClientOptions = {},
): <D extends (options: never, handler: never) => boolean>(dispatch: D, origin?: string | null) => D {
  const settings = clientSettings(options, "make an interceptor");
  return <D extends (options: never, handler: never) => boolean>(dispatch: D, origin?: string | null): D => {
    const send = dispatch as unknown as Dispatch;
    const intercepted: Dispatch = (request, handler) => {
      const ctx = callerOf(current());
      return isTracingSuppressed(ctx)
        ? send(request, handler)
        : sendUnder(ctx, send, request, handler, settings, origin);
    };
    return intercepted as unknown as D;
  };
}

/** The contexts in which requests were asked for. */
const callers = new WeakMap<OutboundCall, Context>();

/** What redirects or retries asks for the next request in the context of the last one, of which the time is its own. */
function callerOf(ctx: Context): Context {
  const before = outboundCallIn(ctx);
  return (before && callers.get(before)) ?? ctx;
}

function sendUnder(
  ctx: Context,
  send: Dispatch,
  request: DispatchOptions,
  handler: Handler,
  settings: ClientSettings,
  origin: string | null | undefined,
): boolean {
  const [whole, cancel] = withOptionalTimeout(ctx, settings.timeout);
  const outgoing = {
    method: request.method,
    url: urlOf(request, origin),
    attempt: 1,
    isTracedElsewhere: false,
    baggage: headerIn(request.headers, "baggage"),
  };
  let followed: Followed | undefined;
  try {
    const call = new UndiciCall(whole, outgoing, settings, NO_OBSERVER, false, true);
    callers.set(call.outbound, ctx);
    const made = (followed = new Followed(whole, cancel, call, handler));
    const headers = withHeaders(request.headers, call.outbound.headers);
    return call.send(() => send({ ...request, headers }, made));
  } catch (error) {
    // Told as everything else is: whoever has made this request out of another's callback could not hear it otherwise.
    if (followed === undefined) {
      cancel();
      handler.onResponseError?.(undefined, error);
    } else {
      followed.onResponseError(undefined, error);
    }
    return true;
  }
}

/** The handler hears of all that its call is told. */
const NO_OBSERVER: CallObserver = { over() {}, refuse() {} };

/** Where it goes: to the one server of a pool, whatever is asked for. A path is no more than that, even if it looks as an address. */
function urlOf({ origin, path }: DispatchOptions, pooled: string | null | undefined): URL | undefined {
  if (pooled === null) return undefined;
  const base = URL.parse(String(pooled ?? origin));
  if (base === null) return undefined;
  return URL.parse(`${base.origin}${path.startsWith("/") ? "" : "/"}${path}`) ?? undefined;
}

/** Follows a request to its end, which may come before it is even started. */
class Followed implements Handler {
  readonly #ctx: Context;
  readonly #cancel: () => void;
  readonly #call: UndiciCall;
  readonly #handler: Handler;
  readonly #stop: () => boolean;
  #controller: Controller | undefined;
  /** Whether we are done with it; and whether its handler has been told that it failed. */
  #isOver = false;
  #hasFailed = false;

  constructor(ctx: Context, cancel: () => void, call: UndiciCall, handler: Handler) {
    this.#ctx = ctx;
    this.#cancel = cancel;
    this.#call = call;
    this.#handler = handler;
    this.#stop = afterFunc(ctx, () => this.#breakOff());
  }

  onRequestStart(controller: Controller, context: unknown): void {
    if (this.#isOver) return controller.abort(this.#ctx.err());
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

  /** May come after the end: a handler that does not like what has come says so there. */
  onResponseError(controller: Controller | undefined, error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#end(error);
    this.#handler.onResponseError?.(controller, error);
  }

  #breakOff(): void {
    const error = this.#ctx.err();
    if (this.#controller === undefined) this.onResponseError(undefined, error);
    else this.#controller.abort(error);
  }

  #end(error?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stop();
    this.#call.over(error);
    this.#cancel();
  }
}

/** A gateway that passes the response on would report the upstream's outcome as its own. A response of a mock has not gone through undici's channels. */
function removeOutcome(headers: unknown): void {
  if (typeof headers === "object" && headers !== null) delete (headers as Record<string, unknown>)[OUTCOME_HEADER];
}
