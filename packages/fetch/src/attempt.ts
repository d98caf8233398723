import { type Context, ContextError } from "@throughline/context";
import { canEnd, type EndObserver, markStack, onEnd, type Stoppable } from "@throughline/context/internal";
import {
  type ClientSettings,
  recordOutcome,
  type OutgoingRequest,
  stripOutcomeHeader,
} from "@throughline/http/adapter";

import type { Call } from "./call.ts";
import { type CallObserver, UndiciCall } from "./undici-call.ts";

/** What attempts are made under. */
export interface AttemptOptions {
  /** What the whole call must be over with, the body included. */
  readonly callCtx: Context;
  /** What the head of the response must be here by: the same, or one with an earlier end. */
  readonly headCtx: Context;
  readonly fetch: typeof globalThis.fetch;
  readonly settings: ClientSettings;
  /** 1 for the first. */
  readonly number: number;
  /** Called when a response has come, be it one that redirects: then the call has arrived, and is not to be made twice unless it may. */
  readonly arrived?: () => void;
}

/** Ways to send that undici's channels do not show, as was seen: a function of another make, or with a dispatcher that mocks. */
const unobservable = new WeakMap<object, WeakSet<object>>();

/** Those that undici's channels have shown to send by it: wherever that leads, the headers of each hop can be chosen. */
const observed = new WeakSet<object>();

/** Where undici keeps the dispatcher of all calls that name none. */
const GLOBAL_DISPATCHER = Symbol.for("undici.globalDispatcher.1");

/** What is stopped when a response is collected: calls whose end cannot be seen, and listeners on the caller's own signal, as `fetch` has them. */
const collected = new FinalizationRegistry<Stoppable>((call) => call.stop());

/**
 * Sends one request, and those that its responses redirect to.
 *
 * @param over called once when the call is over: its body has arrived, is not wanted any more, or failed
 * @returns the response that the wrapped fetch gives, as it is
 * @throws ContextError that of the context which ends before the head of the response is here
 */
export function attempt(options: AttemptOptions, call: Call, over: () => void): Promise<Response> {
  return new FetchCall(options, call, over).start();
}

class FetchCall implements CallObserver, EndObserver, OutgoingRequest, Stoppable {
  readonly #options: AttemptOptions;
  readonly #over: () => void;
  /** Not kept when it is over: a connection remembers the context that it was made in, and by that this object. */
  #call: Call | undefined;
  #signal: AbortSignal | undefined;
  /** Aborts what is sent; `undefined` where nothing can end it but the caller's own signal. */
  #controller: AbortController | undefined;
  /** Rejects the promise of the caller. Not kept when that is settled, as the response is collected only if nothing leads to it. */
  #reject: ((error: unknown) => void) | undefined;
  #undici!: UndiciCall;
  #links: Stoppable[] = [];
  /** Listens to the caller's own signal, for as long as the wrapped fetch listens to ours: what has arrived and was not read is aborted as well. */
  #own: Stoppable | undefined;
  #isListenedTo = true;
  #isOver = false;
  /** Whether no redirect may be followed, as a wrapped fetch that is not known to be undici's would take along what is for this origin only. */
  #isManual = false;
  readonly attempt: number;
  readonly isTracedElsewhere = false;

  constructor(options: AttemptOptions, call: Call, over: () => void) {
    this.#options = options;
    this.#call = call;
    this.#over = over;
    this.attempt = options.number;
    this.#signal = call.signal;
    const { callCtx, headCtx, settings } = options;
    // A redirect may have to be refused, too.
    const mayEnd = canEnd(callCtx) || canEnd(headCtx) || settings.isSelective;
    this.#controller = mayEnd ? new AbortController() : undefined;
  }

  get method(): string {
    return this.#call?.method ?? "";
  }

  get url(): URL | undefined {
    return this.#call?.url;
  }

  get isGivenUp(): boolean {
    return this.#signal?.aborted === true;
  }

  get baggage(): string | undefined {
    return this.#call?.header("baggage");
  }

  start(): Promise<Response> {
    const call = this.#call!;
    this.#isManual = call.redirect === "follow" && !observed.has(this.#options.fetch) && this.#isToOwnOrigin(call);
    try {
      this.#begin(call);
    } catch (error) {
      call.cancelBody(error);
      this.#end();
      return Promise.reject(error as Error);
    }
    this.#link();
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.#reject = reject;
    // Handed on promise by promise, V8 finds the caller for the stack of an error that is made further in.
    this.#send(call).then(resolve, reject);
    return promise;
  }

  #begin(call: Call): void {
    const { callCtx, settings } = this.#options;
    const follows = call.redirect === "follow" && !this.#isManual;
    this.#undici = new UndiciCall(callCtx, this, settings, this, follows, !this.#isUnobservable());
  }

  #isToOwnOrigin(call: Call): boolean {
    const { isSelective, policy } = this.#options.settings;
    return isSelective && policy(call.url) !== policy(undefined);
  }

  #send(call: Call): Promise<Response> {
    const { fetch } = this.#options;
    const undici = this.#undici;
    const init = call.initWith(undici.outbound.headers, this.#members(call)) as RequestInit | undefined;
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

  #members(call: Call): RequestInit {
    const members: RequestInit = {};
    if (this.#controller !== undefined && !call.hasInvalidSignal) members.signal = this.#controller.signal;
    if (this.#isManual) members.redirect = "manual";
    return members;
  }

  /** Has the call end with its contexts and its caller's signal. */
  #link(): void {
    if (this.#controller === undefined) return;
    const { callCtx, headCtx } = this.#options;
    const signal = this.#signal;
    if (signal?.aborted) return this.#controller.abort(signal.reason);
    if (signal !== undefined) {
      const controller = this.#controller;
      const aborted = (): void => {
        controller.abort(signal.reason);
        this.refuse(signal.reason, true);
      };
      signal.addEventListener("abort", aborted, { once: true });
      const own = { stop: () => signal.removeEventListener("abort", aborted) };
      this.#own = own;
      onRelease(controller.signal, () => {
        this.#isListenedTo = false;
        if (this.#isOver) own.stop();
      });
    }
    if (canEnd(callCtx)) this.#links.push(onEnd(callCtx, this));
    if (headCtx !== callCtx) this.#links.push(onEnd(headCtx, this));
  }

  contextEnded(ctx: Context): void {
    // A head that is late is tried again; the body has as long as the whole call.
    if (ctx !== this.#options.callCtx && this.#isHeadHere) return;
    this.refuse(ctx.err());
  }

  get #isHeadHere(): boolean {
    return this.#undici.outbound.phase === "body" && !this.#undici.isRedirecting;
  }

  /** Ends it, also where the wrapped fetch does not listen to its signal. */
  refuse(error: unknown, isGivenUp = false): void {
    this.#controller?.abort(error);
    this.#reject?.(error);
    this.#undici.over(error, isGivenUp);
  }

  arrived(): void {
    this.#options.arrived?.();
  }

  over(error?: unknown): void {
    if (error !== undefined || !this.#isListenedTo) this.#own?.stop();
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const links = this.#links;
    this.#links = [];
    for (const link of links) link.stop();
    this.#call = this.#signal = this.#controller = this.#reject = this.#own = undefined;
    this.#over();
  }

  /** The response has been collected, of which nothing more was heard. */
  stop(): void {
    this.#undici.over();
  }

  #responded(response: Response): Response | Promise<Response> {
    const undici = this.#undici;
    // The caller was given an error before, and nobody else reads it.
    if (this.#isOver) discard(response);
    if (undici.isObserved) {
      observed.add(this.#options.fetch);
      recordOutcome(response, undici.outcome);
    } else {
      this.arrived();
      undici.outbound.response(response?.status);
      if (isObject(response)) stripOutcomeHeader(response);
    }
    if (this.#isManual && isRedirect(response)) return this.#redirected(response);
    this.#reject = undefined;
    if (this.#own !== undefined && isObject(response)) collected.register(response, this.#own);
    if (undici.isObserved) undici.responded();
    else this.#notObserved(response);
    return response;
  }

  /** It has not been followed. Now that the wrapped fetch is known to be undici's it may be, from the start, where nothing is done twice by that. */
  #redirected(response: Response): Promise<Response> {
    const undici = this.#undici;
    const call = this.#call;
    undici.leave();
    discard(response);
    if (undici.isObserved && call?.isReplayable && (isSafe(call.method) || keepsMethod(response.status))) {
      this.#isManual = false;
      try {
        this.#begin(call);
      } catch (error) {
        this.refuse(error);
        throw error;
      }
      return this.#send(call);
    }
    const error = new TypeError("fetch failed", {
      cause: new Error(
        `Cannot follow a redirect: only undici shows where it leads, which is checked against 'origins'${undici.isObserved ? ", and the wrapped fetch was not known to be undici's before this call" : ""}; set redirect to "manual" and follow it yourself`,
      ),
    });
    call?.cancelBody(error);
    this.refuse(error);
    throw error;
  }

  #isUnobservable(): boolean {
    return unobservable.get(this.#options.fetch)?.has(this.#dispatcher) === true;
  }

  get #dispatcher(): object {
    const own = (this.#call?.init as { dispatcher?: object } | null | undefined)?.dispatcher;
    return own ?? (globalThis as { [GLOBAL_DISPATCHER]?: object })[GLOBAL_DISPATCHER] ?? this.#options.fetch;
  }

  #notObserved(response: Response): void {
    const { fetch } = this.#options;
    const undici = this.#undici;
    if (this.url !== undefined) {
      const dispatchers = unobservable.get(fetch) ?? new WeakSet();
      unobservable.set(fetch, dispatchers.add(this.#dispatcher));
    }
    // The span is over; what else holds of the call goes on, as its body may still be read.
    undici.outbound.end();
    if (this.#isOver || !isObject(response)) return undici.over();
    collected.register(response, this);
  }

  #failed(error: unknown): never {
    this.#reject = undefined;
    // undici gives the reason of a signal a new stack, of which nothing is left.
    if (error instanceof ContextError) markStack(error);
    this.#undici.over(error, this.isGivenUp);
    throw error;
  }
}

/** A double may be anything. */
function isObject(response: unknown): response is object {
  return typeof response === "object" && response !== null;
}

/** Calls back when a listener is removed from a signal, as `fetch` does when the body has been read (undici 8), or the response collected (before). */
function onRelease(signal: AbortSignal, released: () => void): void {
  const remove = signal.removeEventListener.bind(signal);
  signal.removeEventListener = (...listener: Parameters<typeof remove>): void => {
    remove(...listener);
    released();
  };
}

/** Gives up the body of a response that the caller does not get. */
function discard(response: Response): void {
  if (response?.body instanceof ReadableStream && !response.body.locked) response.body.cancel().catch(() => {});
}

/** Whether the server does nothing but answer, however often it is asked. */
function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Whether what was sent is to be sent elsewhere, of which the server that says so has done nothing. */
function keepsMethod(status: number): boolean {
  return status === 307 || status === 308;
}

function isRedirect(response: Response): boolean {
  return response?.status >= 300 && response.status < 400 && response.headers?.get?.("location") != null;
}
