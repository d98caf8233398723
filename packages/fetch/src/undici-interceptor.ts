import {
  afterFunc,
  type CancelFunc,
  type Context,
  current,
  withCancel,
  withTimeout,
  isSuppressed,
} from "@throughline/context";
import { type ClientOptions, type ClientSettings, clientSettings, OutboundCall } from "@throughline/http";

import { type HeaderList, withHeaders } from "./header-list.ts";
import { isTracedElsewhere } from "./traced-elsewhere.ts";

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
 * Carries the current Context to the next service for those who call undici itself, by `request`, `stream` or a `fetch` with this dispatcher:
 * `new Agent().compose(contextInterceptor())`. For undici 7 and 8. A request under a context that ends, also while it waits for a connection,
 * fails with that context's own error object. Place it after one that retries or redirects, so that each attempt is told what is left.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function contextInterceptor(
  options: ClientOptions = {},
): <D extends (options: never, handler: never) => boolean>(dispatch: D) => D {
  const settings = clientSettings(options, "make an interceptor");
  return <D extends (options: never, handler: never) => boolean>(dispatch: D): D => {
    const send = dispatch as unknown as Dispatch;
    const intercepted: Dispatch = (request, handler) => {
      const ctx = current();
      return isSuppressed(ctx) ? send(request, handler) : sendUnder(ctx, send, request, handler, settings);
    };
    return intercepted as unknown as D;
  };
}

function sendUnder(
  ctx: Context,
  send: Dispatch,
  request: DispatchOptions,
  handler: Handler,
  settings: ClientSettings,
): boolean {
  const [whole, cancel] =
    settings.timeout === undefined ? withCancel(ctx) : withTimeout(ctx, settings.timeout, { source: "timeout" });
  const url = URL.parse(request.path, String(request.origin)) ?? undefined;
  const outgoing = { method: request.method, url, attempt: 1, isTracedElsewhere: isTracedElsewhere() };
  const call = OutboundCall.begin(whole, outgoing, settings);
  return send(
    { ...request, headers: withHeaders(request.headers, call.headers) },
    new Followed(whole, cancel, call, handler),
  );
}

/** Follows a request to its end, which may come before it is even started. */
class Followed implements Handler {
  readonly #ctx: Context;
  readonly #cancel: CancelFunc;
  readonly #call: OutboundCall;
  readonly #handler: Handler;
  readonly #stop: () => boolean;
  #controller: Controller | undefined;
  #isOver = false;

  constructor(ctx: Context, cancel: CancelFunc, call: OutboundCall, handler: Handler) {
    this.#ctx = ctx;
    this.#cancel = cancel;
    this.#call = call;
    this.#handler = handler;
    this.#stop = afterFunc(ctx, () => this.#breakOff());
  }

  onRequestStart(controller: Controller, context: unknown): void {
    if (this.#isOver) return controller.abort(this.#ctx.err());
    this.#controller = controller;
    this.#call.sent();
    this.#handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(controller: Controller, status: number, headers: unknown, socket: unknown): void {
    this.#end();
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseStart(controller: Controller, status: number, headers: unknown, message?: string): void {
    if (status >= 200) this.#call.response(status);
    this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller: Controller, chunk: unknown): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: unknown): void {
    this.#end();
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller | undefined, error: unknown): void {
    if (this.#isOver) return;
    this.#end(error);
    this.#handler.onResponseError?.(controller, error);
  }

  #breakOff(): void {
    const error = this.#ctx.err();
    if (this.#controller === undefined) this.onResponseError(undefined, error);
    else this.#controller.abort(error);
  }

  #end(error?: unknown): void {
    this.#isOver = true;
    this.#stop();
    this.#call.end(error);
    this.#cancel();
  }
}
