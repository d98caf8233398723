import { inspect } from "node:util";

import { type CancelFunc, type Context, current, DeadlineExceeded, type Key, withValue } from "@throughline/context";
import {
  type EndObserver,
  isAttached,
  newTraceId,
  type Stoppable,
  type TraceOwner,
  traceOwnerKey,
  withoutStack,
} from "@throughline/context/internal";

import type { EndedBy, Outcome, ResponseEnd, ServerObserver } from "../observe/server-request.ts";
import { causes } from "../wire/causes.ts";
import { ClientDisconnected, ResponseSent } from "../wire/errors.ts";
import { isCancellation, isDisconnect } from "./error-disposition.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { UnverifiedHeaders } from "./receive-values.ts";

/** One for all: it is made for every request, and says the same each time. */
const RESPONSE_SENT = new ResponseSent();

/** An request gives a request without a trace one of its own, so its context has it where a trace is looked for. */
const serverRequestKey = traceOwnerKey as unknown as Key<ServerRequest>;

/** One that can be asked for the route that has matched. */
export interface Router {
  route?(): string | undefined;
}

export interface ActiveResponse {
  /** Whether bytes of it have left the process, so that nothing else can be answered. */
  readonly isBegun: boolean;
  /** Whether the client went away in the middle of its request, or before the response was out. */
  readonly isAborted?: boolean;
  /** Whether all of it has been written. */
  readonly isEnded?: boolean;
  /** Has the connection closed once the response is out, where responses of one connection follow each other. */
  closeConnection?(): void;
  /** A number that changes as it moves. */
  readonly progress: number;
  /** Answers for a handler that has not, for an error that is ours to explain, or breaks off what has begun. */
  forceAnswer(error: unknown, serverRequest: ServerRequest): void;
}

/** The list of active requests of the server. */
interface ActiveList {
  remove(serverRequest: ServerRequest): void;
}

/** One request being served, from its arrival to the end of its response. */
export class ServerRequest implements EndObserver, TraceOwner {
  /** What the request runs in. */
  readonly ctx: Context;
  /** What to answer instead of running any handler. */
  refusal: Problem | undefined;
  /** Set by the host; gone when it is over. */
  response: ActiveResponse | undefined = undefined;
  /** When the time is up for the services that are called from here, on the monotonic clock. It ends nothing here. */
  downstreamDeadline: number = Infinity;
  /** The route that has matched, or whom to ask at the end, when routers have done their work. */
  route: string | Router | undefined = undefined;
  /** The context that a guard or a requestContext has entered last: listeners on the request run in it. */
  entered: Context;
  /** When the body of the request was received in full, on the monotonic clock; 0 where that was not observed. */
  receivedAt = 0;
  /** When the handler had done its work, on the monotonic clock, as far as that is known; 0 where it is not. */
  handledAt = 0;
  /** What its response waits on, with those of other requests, in the order in which they came: a connection of HTTP/1. */
  connection: object | undefined = undefined;
  /** What it is counted among, and those before and after it there. */
  active: ActiveList | undefined = undefined;
  next: ServerRequest | undefined = undefined;
  previous: ServerRequest | undefined = undefined;
  readonly #cancel: CancelFunc | undefined;
  #endings: Stoppable[] | undefined;
  #observers: ServerObserver[] | undefined;
  #settlements: Stoppable[] | undefined;
  /** How many tracked promises of handlers have not settled. */
  #unsettled = 0;
  #heldBack: UnverifiedHeaders | undefined;
  #error: unknown;
  #ownTraceId: string | undefined;
  #isOver = false;

  constructor(ctx: Context, cancel?: CancelFunc, refusal?: Problem, unverified?: UnverifiedHeaders) {
    this.ctx = this.entered = withValue(ctx, serverRequestKey, this);
    this.#cancel = cancel;
    this.refusal = refusal;
    this.#heldBack = unverified;
  }

  /** The id of the trace that begins here, for a request that brings none; made when it is first asked for. */
  get ownTraceId(): string {
    return (this.#ownTraceId ??= newTraceId());
  }

  /** Headers that were removed from the request until their content is verified. A method, so that printing a request prints no token. */
  unverifiedHeaders(): UnverifiedHeaders | undefined {
    return this.#heldBack;
  }

  /** Whether the settlement of handlers matters: admission counts them until then. */
  get isTracked(): boolean {
    return this.#settlements !== undefined;
  }

  /** Counts a handler as running until its promise settles. Does nothing unless {@link isTracked}. */
  track(work: PromiseLike<unknown>): void {
    if (this.#settlements === undefined) return;
    this.#unsettled += 1;
    const settled = (): void => {
      this.#unsettled -= 1;
      if (this.#unsettled > 0) return;
      this.handledAt = performance.now();
      if (this.#isOver) this.#settled();
    };
    work.then(settled, settled);
  }

  /** Stops something once the response is over and all tracked handlers have settled. A handler may run on long after its response. */
  onSettled(ending: Stoppable): void {
    if (this.#isOver && this.#unsettled === 0) return ending.stop();
    (this.#settlements ??= []).push(ending);
  }

  #settled(): void {
    const settlements = this.#settlements;
    this.#settlements = undefined;
    for (const ending of settlements ?? []) ending.stop();
  }

  /** Has something stopped first thing when the response is over; at once if it is. */
  onEnd(ending: Stoppable): void {
    if (this.#isOver) ending.stop();
    // A list that is pushed to when it is empty makes room for many: most requests have one.
    else if (this.#endings === undefined) this.#endings = [ending];
    else this.#endings.push(ending);
  }

  /** Has one told how the request went. One that comes when it is over is told nothing. */
  observe(observer: ServerObserver | undefined): void {
    if (observer === undefined || this.#isOver) return;
    if (this.#observers === undefined) this.#observers = [observer];
    else this.#observers.push(observer);
  }

  /** What to derive from further in: the context that is current there, unless ours has been lost on the way. */
  innermost(ctx: Context): Context {
    return ctx.value(serverRequestKey) === this ? ctx : this.ctx;
  }

  /** Ends the context before the response is out. */
  cancel(cause: unknown): void {
    this.#cancel?.(cause);
  }

  /** Answers for a handler that has not, if the error is ours to explain and there is still something to answer on. */
  forceAnswer(error: unknown): void {
    this.response?.forceAnswer(error, this);
  }

  /** A deadline is answered without the handler, of this context or of one that is earlier further in. */
  contextEnded(ctx: Context): void {
    const error = ctx.err();
    if (isDeadline(error)) this.forceAnswer(error);
  }

  /** Remembers why the response is what it is. The first error counts; errors of code that fails because the client has gone do not. */
  fail(error: unknown): void {
    if (this.response?.isAborted !== true) this.#error ??= error;
  }

  /** Whether an error is but a result of the end of the request: its client has gone, or its response is over. Nothing is to be done about it. */
  isMoot(error: unknown): boolean {
    if (this.response?.isAborted ?? this.ctx.cause() instanceof ClientDisconnected) return isDisconnect(error);
    return this.#isOver && isCancellation(error);
  }

  /** The response is over. Ends the context, and tells who observes; a second call does nothing. */
  end({ isDelivered, status }: ResponseEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const endings = this.#endings;
    const observers = this.#observers;
    const route = this.route;
    const error = this.#error;
    // The context may be held on to for long, by a pooled connection for one: what it holds must be light.
    this.#endings = this.#observers = this.route = this.response = this.connection = undefined;
    if (endings !== undefined) for (const ending of endings) ending.stop();
    // A deadline is looked at before the context ends otherwise.
    const endedBy = observers === undefined ? undefined : this.#endedBy(isDelivered, status);
    this.#cancel?.(isDelivered ? RESPONSE_SENT : (error ?? withoutStack(() => new ClientDisconnected())));
    if (endedBy !== undefined)
      tellAll(observers!, { isDelivered, status, endedBy, error, route: routeOf(route) }, this);
    if (this.#unsettled === 0) this.#settled();
  }

  /** Printed with every request, by its symbol: not a word of what is in it. */
  toString(): string {
    return this.#isOver ? "ServerRequest (over)" : "ServerRequest";
  }

  #endedBy(isDelivered: boolean, status: number | undefined): EndedBy {
    if (isDelivered && (status ?? 0) < 500) return this.refusal === undefined ? "response" : "refusal";
    const problem = this.refusal ?? problemOf(this.#error);
    if (problem?.document.status === 504 && (status === 504 || !isDelivered)) return "deadline";
    if (this.refusal !== undefined && isDelivered) return "refusal";
    // Whoever answers for a handler may have made another error of it.
    if (isDeadline(this.ctx.err())) return "deadline";
    if (isDelivered) return "response";
    return this.#error === undefined ? "client" : "error";
  }
}

Object.defineProperty(ServerRequest.prototype, inspect.custom, {
  value(this: ServerRequest): string {
    return this.toString();
  },
});

/** One that throws keeps none of the others from being told. */
function tellAll(observers: readonly ServerObserver[], outcome: Outcome, serverRequest: ServerRequest): void {
  for (const observer of observers) {
    try {
      observer.end(outcome, serverRequest);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** A router that cannot be asked has no route to tell. */
function routeOf(route: string | Router | undefined): string | undefined {
  if (typeof route !== "object") return route;
  try {
    return route.route?.();
  } catch {
    return undefined;
  }
}

/** Whether a deadline is what an error is about: the context's own, or a limit on its response. */
export function isDeadline(error: unknown): boolean {
  for (const each of causes(error)) if (each instanceof DeadlineExceeded) return true;
  return false;
}

/** The request that the context belongs to: none for what was detached from it. */
export function serverRequestIn(ctx: Context): ServerRequest | undefined {
  const serverRequest = ctx.value(serverRequestKey);
  return serverRequest !== undefined && isAttached(ctx, serverRequest.ctx) ? serverRequest : undefined;
}

/**
 * Says which route the request of this context has matched, for its span and its metrics: for routers that we cannot ask, such as those
 * of fetch handlers. Does nothing outside of a request.
 */
export function setRoute(route: string, ctx: Context = current()): void {
  const serverRequest = serverRequestIn(ctx);
  if (serverRequest !== undefined) serverRequest.route = route;
}
