import { type Context, ContextError } from "@throughline/context";
import { canEnd, type EndObserver, markStack, onEnd, type Stoppable } from "@throughline/context/internal";
import {
  type ClientSettings,
  recordOutcome,
  type OutgoingRequest,
  stripOutcomeHeader,
} from "@throughline/http/adapter";

import { CallerSignalListener } from "./call-context.ts";
import type { Call } from "./call.ts";
import { type CallObserver, UndiciCall } from "./undici-call.ts";
import { isUndiciFetch, isUnobservable, markUndiciFetch, markUnobservable } from "./wrapped-fetch.ts";

export interface AttemptOptions {
  /** Limits the whole call, its body included. */
  readonly callCtx: Context;
  /** Limits the wait for the response head: `callCtx`, or a context that ends earlier. */
  readonly headCtx: Context;
  readonly fetch: typeof globalThis.fetch;
  readonly settings: ClientSettings;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Called at each response head, those of redirects included: from then on a service has received the call. */
  readonly onResponseHead?: () => void;
}

/**
 * Stops its held value when a response is collected: a call whose end is not observable, or a listener on the
 * caller's signal.
 */
const collectedResponses = new FinalizationRegistry<Stoppable>((held) => held.stop());

/**
 * Sends one request, and those of its redirects.
 *
 * @param onEnd called once when the attempt ends: its body has arrived, was canceled, or failed
 * @returns the response of the wrapped fetch, unchanged
 * @throws ContextError the error of the context that ends before the response head arrives
 */
export function attempt(options: AttemptOptions, call: Call, onEnd: () => void): Promise<Response> {
  return new Attempt(options, call, onEnd).start();
}

class Attempt implements CallObserver, EndObserver, OutgoingRequest, Stoppable {
  readonly attempt: number;
  readonly isTracedElsewhere = false;
  readonly #options: AttemptOptions;
  readonly #onEnd: () => void;
  /** Cleared at the end: a pooled connection keeps the async context that opened it, and thereby this object. */
  #call: Call | undefined;
  #callerSignal: AbortSignal | undefined;
  /** Aborts the request; `undefined` if only the caller's own signal can end it. */
  #controller: AbortController | undefined;
  /** Rejects the caller's promise. Cleared once that is settled, so that the response can be collected. */
  #reject: ((error: unknown) => void) | undefined;
  #undici!: UndiciCall;
  #contextListeners: Stoppable[] = [];
  #callerListener: CallerSignalListener | undefined;
  #isEnded = false;
  /** Sends with `redirect: "manual"`: a fetch that is not undici's would send all headers to the redirect's URL. */
  #isManual = false;

  constructor(options: AttemptOptions, call: Call, onEnd: () => void) {
    this.#options = options;
    this.#call = call;
    this.#onEnd = onEnd;
    this.attempt = options.attempt;
    this.#callerSignal = call.signal;
    const { callCtx, headCtx, settings } = options;
    // With `origins`, a redirect may have to be aborted.
    const mayAbort = canEnd(callCtx) || canEnd(headCtx) || settings.isSelective;
    this.#controller = mayAbort ? new AbortController() : undefined;
  }

  get method(): string {
    return this.#call?.method ?? "";
  }

  get url(): URL | undefined {
    return this.#call?.url;
  }

  get baggage(): string | undefined {
    return this.#call?.header("baggage");
  }

  get isAborted(): boolean {
    return this.#callerSignal?.aborted === true;
  }

  start(): Promise<Response> {
    const call = this.#call!;
    const { fetch } = this.#options;
    this.#isManual = call.redirect === "follow" && !isUndiciFetch(fetch) && this.#isToOwnOrigin(call);
    try {
      this.#begin(call);
    } catch (error) {
      call.cancelBody(error);
      this.#end();
      return Promise.reject(error as Error);
    }
    this.#listen();
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.#reject = reject;
    // A chain of promises lets V8 find the caller for the stack of an error that is thrown further in.
    this.#send(call).then(resolve, reject);
    return promise;
  }

  #begin(call: Call): void {
    const { callCtx, fetch, settings } = this.#options;
    const followsRedirects = call.redirect === "follow" && !this.#isManual;
    const mayBeObserved = !isUnobservable(fetch, call.init);
    this.#undici = new UndiciCall(callCtx, this, settings, this, followsRedirects, mayBeObserved);
  }

  #isToOwnOrigin(call: Call): boolean {
    const { isSelective, policy } = this.#options.settings;
    return isSelective && policy(call.url) !== policy(undefined);
  }

  /** Ends the call with its contexts and with the caller's signal. */
  #listen(): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    const { callCtx, headCtx } = this.#options;
    const signal = this.#callerSignal;
    if (signal?.aborted) return controller.abort(signal.reason);
    if (signal !== undefined) {
      this.#callerListener = new CallerSignalListener(signal, controller.signal, () => {
        controller.abort(signal.reason);
        this.abort(signal.reason, true);
      });
    }
    if (canEnd(callCtx)) this.#contextListeners.push(onEnd(callCtx, this));
    if (headCtx !== callCtx) this.#contextListeners.push(onEnd(headCtx, this));
  }

  #send(call: Call): Promise<Response> {
    const { fetch } = this.#options;
    const undici = this.#undici;
    const init = call.initWith(undici.outbound.headers, this.#initMembers(call)) as RequestInit | undefined;
    let sent: Promise<Response>;
    try {
      sent = undici.send(() => fetch(call.input, init));
    } catch (error) {
      sent = Promise.reject(error as Error);
    }
    return Promise.resolve(sent).then(
      (response) => this.#responded(response),
      (error: unknown) => this.#failed(error),
    );
  }

  #initMembers(call: Call): RequestInit {
    const members: RequestInit = {};
    if (this.#controller !== undefined && !call.hasInvalidSignal) members.signal = this.#controller.signal;
    if (this.#isManual) members.redirect = "manual";
    return members;
  }

  #responded(response: Response): Response | Promise<Response> {
    const undici = this.#undici;
    const { fetch } = this.#options;
    // The caller's promise was rejected before, so nothing else reads the body.
    if (this.#isEnded) discardBody(response);
    if (undici.isObserved) {
      markUndiciFetch(fetch);
      recordOutcome(response, undici.outcome);
    } else {
      this.onResponseHead();
      undici.outbound.response(response?.status);
      if (isObject(response)) stripOutcomeHeader(response);
    }
    if (this.#isManual && isRedirect(response)) return this.#redirected(response);
    this.#reject = undefined;
    if (this.#callerListener !== undefined && isObject(response)) {
      collectedResponses.register(response, this.#callerListener);
    }
    if (undici.isObserved) undici.responseReturned();
    else this.#notObserved(response);
    return response;
  }

  /**
   * The wrapped fetch did not follow this redirect. If the call has shown that it is undici's, and sending the call
   * twice is safe, the call starts again and follows redirects.
   */
  #redirected(response: Response): Promise<Response> {
    const undici = this.#undici;
    const call = this.#call;
    undici.detach();
    discardBody(response);
    if (undici.isObserved && call?.isReplayable && (isSafe(call.method) || keepsMethod(response.status))) {
      this.#isManual = false;
      try {
        this.#begin(call);
      } catch (error) {
        this.abort(error);
        throw error;
      }
      return this.#send(call);
    }
    const detail = undici.isObserved ? ", and the wrapped fetch was not known to be undici's before this call" : "";
    const error = new TypeError("fetch failed", {
      cause: new Error(
        `Cannot follow a redirect: only undici reports the redirect's URL, which is checked against 'origins'${detail}; set redirect to "manual" and follow it yourself`,
      ),
    });
    call?.cancelBody(error);
    this.abort(error);
    throw error;
  }

  /** Ends the span. The call goes on until its context ends or the response is collected, as its body may be read. */
  #notObserved(response: Response): void {
    const undici = this.#undici;
    if (this.url !== undefined) markUnobservable(this.#options.fetch, this.#call?.init);
    undici.outbound.end();
    if (this.#isEnded || !isObject(response)) return undici.end();
    collectedResponses.register(response, this);
  }

  #failed(error: unknown): never {
    this.#reject = undefined;
    // undici replaces the stack of a signal's reason by an empty one.
    if (error instanceof ContextError) markStack(error);
    this.#undici.end(error, this.isAborted);
    throw error;
  }

  contextEnded(ctx: Context): void {
    // Once the head has arrived in time, only the context of the whole call limits the body.
    if (ctx !== this.#options.callCtx && this.#hasResponseHead) return;
    this.abort(ctx.err());
  }

  get #hasResponseHead(): boolean {
    return this.#undici.outbound.phase === "body" && !this.#undici.isRedirecting;
  }

  /** Ends the call with an error, even if the wrapped fetch ignores its signal. */
  abort(error: unknown, isAborted = false): void {
    this.#controller?.abort(error);
    this.#reject?.(error);
    this.#undici.end(error, isAborted);
  }

  /** The response was garbage collected, and undici's channels do not report the call. */
  stop(): void {
    this.#undici.end();
  }

  onResponseHead(): void {
    this.#options.onResponseHead?.();
  }

  onEnd(error?: unknown): void {
    this.#callerListener?.callEnded(error !== undefined);
    this.#end();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const listeners = this.#contextListeners;
    this.#contextListeners = [];
    for (const listener of listeners) listener.stop();
    this.#call = this.#callerSignal = this.#controller = this.#reject = this.#callerListener = undefined;
    this.#onEnd();
  }
}

/** A test double may return any value. */
function isObject(response: unknown): response is object {
  return typeof response === "object" && response !== null;
}

/** Cancels the body of a response that the caller does not get. */
function discardBody(response: Response): void {
  if (response?.body instanceof ReadableStream && !response.body.locked) response.body.cancel().catch(() => {});
}

/** Whether the method has no side effects (RFC 9110, section 9.2.1). */
function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Whether the redirect repeats the same request: then the redirecting server has not processed it. */
function keepsMethod(status: number): boolean {
  return status === 307 || status === 308;
}

function isRedirect(response: Response): boolean {
  return response?.status >= 300 && response.status < 400 && response.headers?.get?.("location") != null;
}
