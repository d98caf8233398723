import {
  canEnd,
  type Context,
  ContextError,
  type EndObserver,
  markStack,
  onEnd,
  type Stoppable,
} from "@throughline/context";
import { type ClientSettings, markOutcome, type OutgoingRequest, unmarked } from "@throughline/http";

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

/** Where undici keeps the dispatcher of all calls that name none. */
const GLOBAL_DISPATCHER = Symbol.for("undici.globalDispatcher.1");

/** Calls whose end cannot be seen are over when their response is collected. */
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
  readonly #call: Call;
  readonly #over: () => void;
  /** Settles the promise of the caller, and is let go of then, as the response is collected only if nothing leads to it. */
  #result: PromiseWithResolvers<Response> | undefined = Promise.withResolvers<Response>();
  readonly #signal: AbortSignal | undefined;
  /** Aborts what is sent; `undefined` where nothing can end it but the caller's own signal. */
  readonly #controller: AbortController | undefined;
  #undici!: UndiciCall;
  #links: Stoppable[] = [];
  #isOver = false;
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
    return this.#call.method;
  }

  get url(): URL | undefined {
    return this.#call.url;
  }

  get isGivenUp(): boolean {
    return this.#signal?.aborted === true;
  }

  get baggage(): string | undefined {
    return this.#call.header("baggage");
  }

  start(): Promise<Response> {
    const { callCtx, fetch, settings } = this.#options;
    const call = this.#call;
    const { redirect } = call;
    const { promise } = this.#result!;
    // Only undici lets us look at where a redirect leads: by other means none is followed where that matters.
    const isObservable = !this.#isUnobservable();
    const isManual = redirect === "follow" && settings.isSelective && !isObservable;
    try {
      this.#undici = new UndiciCall(callCtx, this, settings, this, redirect === "follow", isObservable);
    } catch (error) {
      call.cancelBody(error);
      this.#end();
      return Promise.reject(error as Error);
    }
    this.#link();
    const init = call.initWith(this.#undici.outbound.headers, this.#members(isManual)) as RequestInit | undefined;
    let sent: Promise<Response>;
    try {
      sent = this.#undici.send(() => fetch(call.input, init));
    } catch (error) {
      sent = Promise.reject(error as Error);
    }
    Promise.resolve(sent).then(
      (response) => this.#responded(response, isManual),
      (error: unknown) => this.#failed(error),
    );
    return promise;
  }

  #settle(settle: (result: PromiseWithResolvers<Response>) => void): void {
    if (this.#result !== undefined) settle(this.#result);
    this.#result = undefined;
  }

  #members(isManual: boolean): RequestInit {
    const members: RequestInit = {};
    if (this.#controller !== undefined && !this.#call.hasInvalidSignal) members.signal = this.#controller.signal;
    if (isManual) members.redirect = "manual";
    return members;
  }

  /** Has the call end with its contexts and its caller's signal. */
  #link(): void {
    if (this.#controller === undefined) return;
    const { callCtx, headCtx } = this.#options;
    const signal = this.#signal;
    if (signal?.aborted) return this.#controller.abort(signal.reason);
    if (signal !== undefined) {
      const aborted = (): void => this.refuse(signal.reason, true);
      signal.addEventListener("abort", aborted, { once: true });
      this.#links.push({ stop: () => signal.removeEventListener("abort", aborted) });
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
    this.#undici.over(error, isGivenUp);
    this.#settle(({ reject }) => reject(error));
  }

  arrived(): void {
    this.#options.arrived?.();
  }

  over(): void {
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const links = this.#links;
    this.#links = [];
    for (const link of links) link.stop();
    this.#over();
  }

  /** The response has been collected, of which nothing more was heard. */
  stop(): void {
    this.#undici.over();
  }

  #responded(response: Response, isManual: boolean): void {
    const undici = this.#undici;
    if (undici.isObserved) {
      markOutcome(response, undici.outcome);
      // It would be followed, and is not: for want of a place to go to.
      if (undici.isRedirecting) undici.over();
    } else {
      this.arrived();
      this.#notObserved(response, isManual);
    }
    this.#settle(({ resolve }) => resolve(response));
  }

  #isUnobservable(): boolean {
    return unobservable.get(this.#options.fetch)?.has(this.#dispatcher) === true;
  }

  get #dispatcher(): object {
    const own = (this.#call.init as { dispatcher?: object } | null | undefined)?.dispatcher;
    return own ?? (globalThis as { [GLOBAL_DISPATCHER]?: object })[GLOBAL_DISPATCHER] ?? this.#options.fetch;
  }

  #notObserved(response: Response, isManual: boolean): void {
    const { fetch } = this.#options;
    const undici = this.#undici;
    if (this.url !== undefined) {
      const dispatchers = unobservable.get(fetch) ?? new WeakSet();
      unobservable.set(fetch, dispatchers.add(this.#dispatcher));
    }
    undici.outbound.response(response?.status);
    unmarked(response);
    if (isManual && isRedirect(response)) {
      const error = new TypeError("fetch failed", {
        cause: new Error(
          "Cannot follow a redirect: only undici shows where it leads, which is checked against 'origins'; set redirect to \"manual\" and follow it yourself",
        ),
      });
      this.#call.cancelBody(error);
      return this.refuse(error);
    }
    // The span is over; what else holds of the call goes on, as its body may still be read.
    undici.outbound.end();
    if (this.#isOver || typeof response !== "object" || response === null) return undici.over();
    collected.register(response, this);
  }

  #failed(error: unknown): void {
    // undici gives the reason of a signal a new stack, of which nothing is left.
    if (error instanceof ContextError) markStack(error);
    this.#undici.over(error, this.isGivenUp);
    this.#settle(({ reject }) => reject(error));
  }
}

function isRedirect(response: Response): boolean {
  return response?.status >= 300 && response.status < 400 && response.headers?.get?.("location") != null;
}
