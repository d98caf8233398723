import { channel, type Channel } from "node:diagnostics_channel";

import { type Context, current, run } from "@throughline/context";
import {
  outboundCallIn,
  type ClientSettings,
  OutboundCall,
  type OutgoingRequest,
  removeOutcomeHeader,
} from "@throughline/http/adapter";

import { isCarried, isTracedBy, locationIn, type Pairs, rewrite } from "./raw-headers.ts";

/** A request of undici's, as its diagnostics channels show it. */
interface UndiciRequest {
  readonly origin: string | URL;
  readonly path: string;
  readonly method: string;
  /** Names and values in turn. */
  readonly headers: unknown;
  addHeader(name: string, value: string): void;
  [CALL]?: UndiciCall | undefined;
}

interface UndiciResponse {
  readonly statusCode: number;
  /** Names and values in turn, as bytes. */
  readonly headers: unknown;
}

/** The call that a request belongs to. */
const CALL: unique symbol = Symbol("throughline.call");

/** What the client that makes a call wants to know of it. */
export interface CallObserver {
  /** The head of a response is here, be it one that redirects. */
  arrived?(): void;
  /** Whether the caller's own signal has ended it. */
  readonly isGivenUp?: boolean;
  /** The call is over, with the error that ended it, if any did. */
  over(error?: unknown): void;
  /** The call must not go on: its headers may not go where it is redirected to, or its time is up. */
  refuse(error: unknown): void;
}

/**
 * A call that is sent by undici, which is what Node's `fetch` is made of, observed through its diagnostics channels: nothing of the request or the
 * response is copied. Redirects that `fetch` follows are requests of their own, and so is what a dispatcher sends again: each has its own span, its own
 * remaining time, and the headers that may go to its own address. A call that is sent by other means is not observed; its headers are in the `init` then.
 */
export class UndiciCall {
  /** The request that is under way. */
  outbound: OutboundCall;
  /** Whether undici has reported it. */
  isObserved = false;
  /** What the last response said of itself (the header `throughline-outcome`, which was removed). */
  outcome: string | undefined;
  readonly #request: OutgoingRequest;
  readonly #settings: ClientSettings;
  readonly #observer: CallObserver;
  /** The headers that its client writes into it: undici makes each request of these, those that redirects lead to as well. */
  readonly #written: Pairs;
  /** What undici is sending; not kept when that is over, as undici may keep it for longer. */
  #sent: UndiciRequest | undefined;
  /** Whether the client has its response: the call is over with the body of that. */
  #isResponded = false;
  #isOver = false;
  /** Whether it waits to see who traces. */
  #isDeferred: boolean;
  /** Whether `fetch` follows the response that has come, and where to. */
  #isRedirecting = false;
  #next: URL | undefined;
  readonly #follows: boolean;
  readonly #mayBeObserved: boolean;

  /**
   * @param follows whether `fetch` follows redirects
   * @param mayBeObserved false where it is known that it will not be
   * @throws ContextError that of the context if it has ended; `DeadlineExceeded` if too little time is left to call
   */
  constructor(
    ctx: Context,
    request: OutgoingRequest,
    settings: ClientSettings,
    observer: CallObserver,
    follows: boolean,
    mayBeObserved: boolean,
  ) {
    observe();
    this.#request = request;
    this.#settings = settings;
    this.#observer = observer;
    this.#follows = follows;
    this.#mayBeObserved = mayBeObserved;
    // Where others listen too, one of them may make the span, and writes its header: that is seen when the request is made.
    this.#isDeferred = mayBeObserved && othersListen();
    this.outbound = OutboundCall.begin(ctx, request, settings, this.#isDeferred ? "deferred" : "now");
    this.outbound.owner = this;
    this.#written = this.outbound.headers;
  }

  /** Sends it, in its own context. A request that undici makes at once belongs to it. */
  send<T>(fn: () => T): T {
    const before = sending;
    sending = this;
    try {
      return run(this.outbound.ctx, fn);
    } finally {
      sending = before;
      if (!this.isObserved) this.#notYetObserved();
    }
  }

  /** It has to wait for a connection, or is sent by other means: a span that was deferred is made now. */
  #notYetObserved(): void {
    if (this.#mayBeObserved) waiting.add(this);
    if (!this.#isDeferred) return;
    this.#isDeferred = false;
    this.outbound.startSpan();
  }

  /** Whether a request that undici makes while the call is sent belongs to it: a wrapped fetch may make others first, such as for a token. */
  sends(request: UndiciRequest): boolean {
    return this.#written.length === 0 || this.#isCarriedBy(request) || this.#isFor(request);
  }

  /**
   * Whether a request that is made in its context belongs to it, and is not what a wrapped fetch or a dispatcher sends for a purpose of its own, or what
   * has waited for the connection that this call has set free (undici 7).
   */
  owns(request: UndiciRequest): boolean {
    if (this.#isOver) return false;
    if (this.#isCarriedBy(request)) return true;
    return this.isObserved ? this.#isNext(request) : this.#isFor(request);
  }

  /** Whether a request that is made in any context is what this call waits for: its first one, or the next one by a redirect. */
  waitsFor(request: UndiciRequest): boolean {
    if (!this.isObserved)
      return this.#isFor(request) && this.#written.every((header) => isCarried(request.headers, header));
    return this.#isRedirecting && (this.#written.length > 0 ? this.hasWritten(request) : this.#isNext(request));
  }

  /** Whether the request carries all that was written into this call. */
  hasWritten(request: UndiciRequest): boolean {
    return this.#written.length > 0 && this.#written.every((header) => isCarried(request.headers, header));
  }

  #isCarriedBy(request: UndiciRequest): boolean {
    return this.#written.some((header) => isCarried(request.headers, header));
  }

  /** Whether it goes to where the last response redirects. */
  #isNext({ origin, path }: UndiciRequest): boolean {
    const next = this.#isRedirecting ? this.#next : undefined;
    return next?.origin === String(origin) && next.pathname + next.search === path;
  }

  /** By its address without the query, to which a client may add. */
  #isFor({ origin, path, method }: UndiciRequest): boolean {
    const { url } = this.#request;
    return url?.origin === String(origin) && url.pathname === path.split("?", 1)[0] && this.#request.method === method;
  }

  /** undici has made a request: the first of the call, or one that a redirect or a dispatcher adds. */
  created(request: UndiciRequest): void {
    waiting.delete(this);
    this.#release();
    if (this.isObserved) this.#another(request);
    else this.#first(request);
    this.isObserved = true;
    this.#sent = request;
    request[CALL] = this;
  }

  #first(request: UndiciRequest): void {
    const { outbound } = this;
    if (isTracedBy(request.headers, this.#written)) outbound.leaveTrace();
    else if (this.#isDeferred) outbound.startSpan();
    this.#isDeferred = false;
    // A wrapped fetch or a dispatcher may send it elsewhere, as a cache does which knows a redirect.
    if (this.#settings.isSelective && this.#request.url?.origin !== String(request.origin)) {
      try {
        outbound.headers = outbound.headersFor(urlOf(request));
      } catch (error) {
        // The time is up. What is in the middle of being sent cannot be aborted yet, and must not be sent without a deadline.
        const { header } = this.#settings.dialect;
        outbound.headers = this.#written.filter(([name]) => name === header);
        queueMicrotask(() => this.#observer.refuse(error));
      }
    }
    this.#rewrite(request, outbound.headers);
  }

  #another(request: UndiciRequest): void {
    this.#isRedirecting = false;
    const before = this.outbound;
    before.end();
    try {
      this.outbound = before.redirected(request.method, urlOf(request));
    } catch (error) {
      // The next service must not be called without a deadline because the time is up.
      this.#rewrite(request, []);
      return this.#observer.refuse(error);
    }
    if (isTracedBy(request.headers, this.#written)) this.outbound.leaveTrace();
    this.#rewrite(request, this.outbound.headers);
  }

  /** Has a request carry these headers in the place of those that were written into the call. */
  #rewrite(request: UndiciRequest, headers: Pairs): void {
    if (headers === this.#written || rewrite(request, this.#written, headers)) return;
    const error = new Error("Cannot send a request on: its headers cannot be changed for where it leads");
    queueMicrotask(() => this.#observer.refuse(error));
  }

  /** Whether a request that was made in its context is the one that a redirect leads to. */
  get isRedirecting(): boolean {
    return this.#isRedirecting;
  }

  headed({ statusCode, headers }: UndiciResponse): void {
    if (statusCode < 200) return;
    this.outbound.response(statusCode);
    this.outcome = removeOutcomeHeader(headers);
    this.#isRedirecting = this.#follows && REDIRECTS.has(statusCode);
    if (this.#isRedirecting) {
      this.#next = locationIn(headers, urlOf(this.#sent!));
      waiting.add(this);
    }
    this.#observer.arrived?.();
  }

  /** The whole body has arrived. */
  completed(): void {
    this.#sentOver(undefined);
  }

  failed(error: unknown): void {
    // A client in between may have made an error of its own of the context's.
    this.#sentOver(isDropped(error) ? undefined : (this.outbound.ctx.err() ?? error));
  }

  /** The request is over, and with it the call, unless another may follow: of a redirect, or of a dispatcher that tries again. */
  #sentOver(error: unknown): void {
    this.#release();
    if (this.#isResponded) this.over(error, this.#observer.isGivenUp);
    else this.outbound.end(error, this.#observer.isGivenUp);
  }

  /** The client has its response, which is that of the last request. */
  responded(): void {
    this.#isResponded = true;
    // Its body has arrived before, or it would redirect and does not say where.
    if (this.#sent === undefined || this.#isRedirecting) this.over();
  }

  #release(): void {
    if (this.#sent !== undefined) this.#sent[CALL] = undefined;
    this.#sent = undefined;
  }

  over(error?: unknown, isGivenUp?: boolean): void {
    this.leave(error, isGivenUp);
    this.#observer.over(error);
  }

  /** It is over, but not what its client does: that is sent anew. */
  leave(error?: unknown, isGivenUp?: boolean): void {
    this.#isOver = true;
    waiting.delete(this);
    this.#release();
    this.outbound.end(error, isGivenUp);
  }
}

/** Where it goes. A path is no more than that, even if it begins as a host does; only a proxy is given a whole address. */
function urlOf({ origin, path }: UndiciRequest): URL {
  return new URL(path.startsWith("/") ? `${new URL(origin).origin}${path}` : path, origin);
}

function isDropped(error: unknown): boolean {
  return error instanceof Error && error.message === "Response object has been garbage collected";
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The call that is being sent at this moment. */
let sending: UndiciCall | undefined;

/** Calls whose next request undici may make when a connection is free, in the context of whatever has freed it. */
const waiting = new Set<UndiciCall>();

const created = channel("undici:request:create");
let isObserving = false;

function observe(): void {
  if (isObserving) {
    // Whoever comes later writes headers later: we must see them.
    if (lastSubscriber(created) === onCreate || lastSubscriber(created) === undefined) return;
    created.unsubscribe(onCreate);
    created.subscribe(onCreate);
    return;
  }
  isObserving = true;
  created.subscribe(onCreate);
  channel("undici:client:beforeConnect").subscribe(() => outboundCallIn(current())?.connecting());
  channel("undici:client:sendHeaders").subscribe((message) => callOf(message)?.outbound.sent());
  channel("undici:request:headers").subscribe((message) =>
    callOf(message)?.headed((message as { response: UndiciResponse }).response),
  );
  channel("undici:request:trailers").subscribe((message) => callOf(message)?.completed());
  channel("undici:request:error").subscribe((message) =>
    callOf(message)?.failed((message as { error: unknown }).error),
  );
}

function onCreate(message: unknown): void {
  const { request } = message as { request: UndiciRequest };
  if (sending !== undefined && !sending.isObserved && sending.sends(request)) return sending.created(request);
  // The context is not asked first: it may be that of a call which has set a connection free, and to rewrite for one call what is of another would send
  // what is of the one as the other's.
  for (const call of waiting) if (call.waitsFor(request)) return call.created(request);
  const owner = outboundCallIn(current())?.owner;
  if (owner instanceof UndiciCall && owner.owns(request)) return owner.created(request);
  for (const call of waiting) if (call.hasWritten(request)) return call.created(request);
}

function callOf(message: unknown): UndiciCall | undefined {
  return (message as { request: UndiciRequest }).request[CALL];
}

/** A channel's subscribers, which Node keeps in an array of this name; `undefined` where it does not. */
function subscribersOf(of: Channel): readonly unknown[] | undefined {
  return (of as { _subscribers?: readonly unknown[] })._subscribers;
}

function lastSubscriber(of: Channel): unknown {
  return subscribersOf(of)?.at(-1);
}

/** Whether anybody else listens to requests being made: an instrumentation, or one that only logs. */
function othersListen(): boolean {
  return (subscribersOf(created)?.length ?? 2) > 1;
}
