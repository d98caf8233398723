import { type Context, current, run } from "@throughline/context";
import {
  outboundCallIn,
  type ClientSettings,
  OutboundCall,
  type OutgoingRequest,
  removeOutcomeHeader,
} from "@throughline/http/adapter";

import type { HeaderPairs } from "./header-list.ts";
import { type ChannelListeners, hasOtherSubscribers, observeChannels } from "./undici-channels.ts";
import {
  hasForeignTrace,
  includesHeader,
  locationIn,
  replaceHeaders,
  type UndiciRequest,
  type UndiciResponse,
  urlOf,
} from "./undici-request.ts";

/** The call that a request of undici belongs to. */
const CALL: unique symbol = Symbol("throughline.call");

interface ObservedRequest extends UndiciRequest {
  [CALL]?: UndiciCall | undefined;
}

/** The client that makes the call. */
export interface CallObserver {
  /** A response head has arrived; it may be a redirect. */
  onResponseHead?(): void;
  /** Whether the caller's own signal has aborted. */
  readonly isAborted?: boolean;
  /** The call has ended, with an error if one ended it. */
  onEnd(error?: unknown): void;
  /** The call must stop: its headers may not go to the redirect's target, or no time is left. */
  abort(error: unknown): void;
}

/** The call whose `send` is running. */
let sending: UndiciCall | undefined;

/**
 * Calls whose next request undici has yet to create. It may do so when a connection is free, in the context of the
 * call that freed it.
 */
const waiting = new Set<UndiciCall>();

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * A call that undici sends, as Node's `fetch` does. The call is observed through undici's diagnostics channels,
 * so the request and the response are not copied. A redirect that `fetch` follows and a retry of a dispatcher are
 * requests of their own: each has its own span, its own remaining time, and the headers that may go to its address.
 * Calls that are sent by other means are not observed; their headers are in `init`.
 */
export class UndiciCall {
  /** The current request. */
  outbound: OutboundCall;
  /** Whether undici's channels have reported the call. */
  isObserved = false;
  /** The value of the last response's `throughline-outcome` header, which was removed. */
  outcome: string | undefined;
  readonly #request: OutgoingRequest;
  readonly #settings: ClientSettings;
  readonly #observer: CallObserver;
  readonly #followsRedirects: boolean;
  readonly #mayBeObserved: boolean;
  /** The headers that the client puts into `init`. undici copies them to each request, those of redirects included. */
  readonly #initHeaders: HeaderPairs;
  /** The request in flight. Cleared at its end, as undici may keep the request for longer. */
  #inFlight: ObservedRequest | undefined;
  /** Whether the client has its response: then the call ends with the body of that response. */
  #isReturned = false;
  #isEnded = false;
  /** Whether the span waits until it is known if an instrumentation makes one. */
  #isSpanDeferred: boolean;
  /** Whether `fetch` follows the response that has arrived, and to which URL. */
  #isRedirecting = false;
  #redirectTarget: URL | undefined;

  /**
   * @param followsRedirects whether `fetch` follows redirects
   * @param mayBeObserved false if it is known that the channels will not report the call
   * @throws ContextError the context's error if it has ended; `DeadlineExceeded` if too little time is left to call
   */
  constructor(
    ctx: Context,
    request: OutgoingRequest,
    settings: ClientSettings,
    observer: CallObserver,
    followsRedirects: boolean,
    mayBeObserved: boolean,
  ) {
    observeChannels(listeners);
    this.#request = request;
    this.#settings = settings;
    this.#observer = observer;
    this.#followsRedirects = followsRedirects;
    this.#mayBeObserved = mayBeObserved;
    // Another subscriber may make the span and write its header. This is known when undici creates the request.
    this.#isSpanDeferred = mayBeObserved && hasOtherSubscribers();
    this.outbound = OutboundCall.begin(ctx, request, settings, this.#isSpanDeferred ? "deferred" : "now");
    this.outbound.owner = this;
    this.#initHeaders = this.outbound.headers;
  }

  /** Whether `fetch` is following a redirect whose request undici has not created yet. */
  get isRedirecting(): boolean {
    return this.#isRedirecting;
  }

  /**
   * Runs `fn`, which sends the call, in the call's context. Requests that undici creates meanwhile may belong to it.
   */
  send<T>(fn: () => T): T {
    const before = sending;
    sending = this;
    try {
      return run(this.outbound.ctx, fn);
    } finally {
      sending = before;
      if (!this.isObserved) this.#waitForRequest();
    }
  }

  /** The call waits for a connection, or is sent by other means: a deferred span starts now. */
  #waitForRequest(): void {
    if (this.#mayBeObserved) waiting.add(this);
    if (!this.#isSpanDeferred) return;
    this.#isSpanDeferred = false;
    this.outbound.startSpan();
  }

  /** Matches a request that undici creates during `send`. A wrapped fetch may send others first, as for a token. */
  matchesDuringSend(request: UndiciRequest): boolean {
    return this.#initHeaders.length === 0 || this.#hasAnyInitHeader(request) || this.#hasOwnAddress(request);
  }

  /**
   * Matches a request that undici creates in the call's context. Other requests may be created there too: those of a
   * wrapped fetch or a dispatcher, and with undici 7 those that waited for the connection that this call freed.
   */
  matchesInContext(request: UndiciRequest): boolean {
    if (this.#isEnded) return false;
    if (this.#hasAnyInitHeader(request)) return true;
    return this.isObserved ? this.#isRedirectTarget(request) : this.#hasOwnAddress(request);
  }

  /** Matches the request that a waiting call expects, in any context: its first one, or the next one of a redirect. */
  matchesExpected(request: UndiciRequest): boolean {
    if (!this.isObserved) {
      return this.#hasOwnAddress(request) && this.#initHeaders.every((each) => includesHeader(request.headers, each));
    }
    if (!this.#isRedirecting) return false;
    return this.#initHeaders.length > 0 ? this.hasAllInitHeaders(request) : this.#isRedirectTarget(request);
  }

  hasAllInitHeaders(request: UndiciRequest): boolean {
    return this.#initHeaders.length > 0 && this.#initHeaders.every((each) => includesHeader(request.headers, each));
  }

  #hasAnyInitHeader(request: UndiciRequest): boolean {
    return this.#initHeaders.some((header) => includesHeader(request.headers, header));
  }

  #isRedirectTarget({ origin, path }: UndiciRequest): boolean {
    const target = this.#isRedirecting ? this.#redirectTarget : undefined;
    return target?.origin === String(origin) && target.pathname + target.search === path;
  }

  /** Compares the address without the query, which a client may extend. */
  #hasOwnAddress({ origin, path, method }: UndiciRequest): boolean {
    const { url } = this.#request;
    return url?.origin === String(origin) && url.pathname === path.split("?", 1)[0] && this.#request.method === method;
  }

  /** undici created a request: the first one of the call, or one that a redirect or a dispatcher adds. */
  created(request: ObservedRequest): void {
    waiting.delete(this);
    this.#release();
    if (this.isObserved) this.#nextRequest(request);
    else this.#firstRequest(request);
    this.isObserved = true;
    this.#inFlight = request;
    request[CALL] = this;
  }

  #firstRequest(request: UndiciRequest): void {
    const { outbound } = this;
    if (hasForeignTrace(request.headers, this.#initHeaders)) outbound.leaveTrace();
    else if (this.#isSpanDeferred) outbound.startSpan();
    this.#isSpanDeferred = false;
    // A wrapped fetch or a dispatcher may send it to another origin, as a cache does that has stored a redirect.
    if (this.#settings.isSelective && this.#request.url?.origin !== String(request.origin)) {
      try {
        outbound.headers = outbound.headersFor(urlOf(request));
      } catch (error) {
        // No time is left. undici cannot abort a request while it creates it: a microtask does, and until then the
        // request keeps its deadline header.
        const { header } = this.#settings.dialect;
        outbound.headers = this.#initHeaders.filter(([name]) => name === header);
        queueMicrotask(() => this.#observer.abort(error));
      }
    }
    this.#replaceHeaders(request, outbound.headers);
  }

  #nextRequest(request: UndiciRequest): void {
    this.#isRedirecting = false;
    const before = this.outbound;
    before.end();
    try {
      this.outbound = before.redirected(request.method, urlOf(request));
    } catch (error) {
      // No time is left: the request is aborted rather than sent without a deadline.
      this.#replaceHeaders(request, []);
      return this.#observer.abort(error);
    }
    if (hasForeignTrace(request.headers, this.#initHeaders)) this.outbound.leaveTrace();
    this.#replaceHeaders(request, this.outbound.headers);
  }

  #replaceHeaders(request: UndiciRequest, headers: HeaderPairs): void {
    if (headers === this.#initHeaders || replaceHeaders(request, this.#initHeaders, headers)) return;
    const error = new Error(
      "Cannot send a request on: undici does not allow its headers to be changed for the new URL",
    );
    queueMicrotask(() => this.#observer.abort(error));
  }

  headReceived({ statusCode, headers }: UndiciResponse): void {
    if (statusCode < 200) return;
    this.outbound.response(statusCode);
    this.outcome = removeOutcomeHeader(headers);
    this.#isRedirecting = this.#followsRedirects && REDIRECTS.has(statusCode);
    if (this.#isRedirecting) {
      this.#redirectTarget = locationIn(headers, urlOf(this.#inFlight!));
      waiting.add(this);
    }
    this.#observer.onResponseHead?.();
  }

  completed(): void {
    this.#requestEnded(undefined);
  }

  failed(error: unknown): void {
    // A client between undici and this one may have wrapped the context's error: report the original.
    this.#requestEnded(isCollected(error) ? undefined : (this.outbound.ctx.err() ?? error));
  }

  /** The request has ended. The call ends too, unless another request may follow: of a redirect, or of a retry. */
  #requestEnded(error: unknown): void {
    this.#release();
    if (this.#isReturned) this.end(error, this.#observer.isAborted);
    else this.outbound.end(error, this.#observer.isAborted);
  }

  /** The client has its response: that of the last request. */
  responseReturned(): void {
    this.#isReturned = true;
    // The body has already arrived, or the response is a redirect without a location.
    if (this.#inFlight === undefined || this.#isRedirecting) this.end();
  }

  #release(): void {
    if (this.#inFlight !== undefined) this.#inFlight[CALL] = undefined;
    this.#inFlight = undefined;
  }

  /** @param isAborted whether the caller's own signal ended the call: then the error counts as a cancellation */
  end(error?: unknown, isAborted?: boolean): void {
    this.detach(error, isAborted);
    this.#observer.onEnd(error);
  }

  /** Ends this call without notifying the observer, which sends the same call again. */
  detach(error?: unknown, isAborted?: boolean): void {
    this.#isEnded = true;
    waiting.delete(this);
    this.#release();
    this.outbound.end(error, isAborted);
  }
}

const listeners: ChannelListeners<ObservedRequest> = {
  created: ({ request }) => {
    if (sending !== undefined && !sending.isObserved && sending.matchesDuringSend(request)) {
      return sending.created(request);
    }
    // Waiting calls come before the current context, which may be that of the call that freed the connection: a wrong
    // match would send the headers of one call with another.
    for (const call of waiting) if (call.matchesExpected(request)) return call.created(request);
    const owner = outboundCallIn(current())?.owner;
    if (owner instanceof UndiciCall && owner.matchesInContext(request)) return owner.created(request);
    for (const call of waiting) if (call.hasAllInitHeaders(request)) return call.created(request);
  },
  connecting: () => outboundCallIn(current())?.connecting(),
  sent: ({ request }) => request[CALL]?.outbound.sent(),
  headReceived: ({ request, response }) => request[CALL]?.headReceived(response),
  completed: ({ request }) => request[CALL]?.completed(),
  failed: ({ request, error }) => request[CALL]?.failed(error),
};

/** Whether the error only reports that an unread response was garbage collected. */
function isCollected(error: unknown): boolean {
  return error instanceof Error && error.message === "Response object has been garbage collected";
}
