import { type CancelFunc, type Context, current, DeadlineExceeded, type Key, withValue } from "@throughline/context";
import {
  type EndObserver,
  isAttached,
  newTraceId,
  now,
  type Stoppable,
  type TraceOwner,
  traceOwnerKey,
  withoutStack,
} from "@throughline/context/internal";

import type { EndedBy, Outcome, ResponseEnd, ServerObserver } from "../observe/server-request.ts";
import { causes } from "../wire/causes.ts";
import { ClientDisconnected, ResponseSent } from "../wire/errors.ts";
import { isCancellation, isDisconnect } from "./disconnect.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { UnverifiedHeaders } from "./receive-values.ts";

/** Shared by all requests, since it carries no data. */
const RESPONSE_SENT = new ResponseSent();

/**
 * A ServerRequest owns the trace of a request that brings none, so the context holds it under the key where traces are
 * looked up.
 */
const serverRequestKey = traceOwnerKey as unknown as Key<ServerRequest>;

/** A router, which knows the route of a request. */
export interface Router {
  /** The matched route as it was registered, if one matched. */
  route?(): string | undefined;
}

/** The response of an active request. */
export interface ActiveResponse {
  /** Whether bytes of it have left the process, so that no other response is possible. */
  readonly isBegun: boolean;
  /** Whether the client left before the request was complete or the response was sent. */
  readonly isAborted?: boolean;
  /** Whether the handler has written all of it. */
  readonly isEnded?: boolean;
  /** Closes the connection after this response. Absent where a connection carries several responses at a time. */
  closeConnection?(): void;
  /** A number that changes when bytes are received or sent. */
  readonly progress: number;
  /** Answers in place of the handler if this library answers the error. Destroys a response that has begun. */
  forceAnswer(error: unknown, serverRequest: ServerRequest): void;
}

/** The active requests of a server. */
interface ActiveList {
  remove(serverRequest: ServerRequest): void;
}

/** A request of a server, from its arrival to the end of its response. */
export class ServerRequest implements EndObserver, TraceOwner {
  /** The context of the outermost middleware. */
  readonly ctx: Context;
  /** The answer, if no handler runs for this request. */
  refusal: Problem | undefined;
  /** Set by the host. Removed when the request has ended. */
  response: ActiveResponse | undefined = undefined;
  /**
   * The deadline that is sent to other services, in milliseconds on the monotonic clock. It does not end the context of
   * this request.
   */
  downstreamDeadline: number = Infinity;
  /** The matched route, or the router to ask for it when the request ends. */
  route: string | Router | undefined = undefined;
  /** The innermost context that a guard or a middleware has entered. Listeners on the request run in it. */
  entered: Context;
  /** When the whole body was received, in milliseconds on the monotonic clock; 0 if that was not observed. */
  receivedAt = 0;
  /** When the tracked handlers had settled, in milliseconds on the monotonic clock; 0 if that is not known. */
  handledAt = 0;
  /** The HTTP/1 connection; pipelined responses leave it in order. */
  connection: object | undefined = undefined;
  /** The list of active requests that contains this one, and the neighbors in it. */
  active: ActiveList | undefined = undefined;
  next: ServerRequest | undefined = undefined;
  previous: ServerRequest | undefined = undefined;
  readonly #cancel: CancelFunc | undefined;
  #cleanups: Stoppable[] | undefined;
  #observers: ServerObserver[] | undefined;
  #settledCleanups: Stoppable[] | undefined;
  /** How many tracked promises of handlers have not settled. */
  #unsettled = 0;
  #unverified: UnverifiedHeaders | undefined;
  #error: unknown;
  #ownTraceId: string | undefined;
  #isOver = false;

  constructor(ctx: Context, cancel?: CancelFunc, refusal?: Problem, unverified?: UnverifiedHeaders) {
    this.ctx = this.entered = withValue(ctx, serverRequestKey, this);
    this.#cancel = cancel;
    this.refusal = refusal;
    this.#unverified = unverified;
  }

  /** The trace id of a request that brought none. It is created at the first call. */
  get ownTraceId(): string {
    return (this.#ownTraceId ??= newTraceId());
  }

  /**
   * Headers that were removed until their content is verified. A method, because inspecting a request must not print
   * tokens.
   */
  unverifiedHeaders(): UnverifiedHeaders | undefined {
    return this.#unverified;
  }

  /** Whether admission control waits for the promises of handlers. */
  get isTracked(): boolean {
    return this.#settledCleanups !== undefined;
  }

  /** Counts a handler as running until its promise settles. Does nothing unless {@link isTracked}. */
  track(work: PromiseLike<unknown>): void {
    if (this.#settledCleanups === undefined) return;
    this.#unsettled += 1;
    const settled = (): void => {
      this.#unsettled -= 1;
      if (this.#unsettled > 0) return;
      this.handledAt = now();
      if (this.#isOver) this.#settled();
    };
    work.then(settled, settled);
  }

  /**
   * Calls `cleanup.stop()` when the response has ended and all tracked handlers have settled, which may be long after
   * the response.
   */
  addSettledCleanup(cleanup: Stoppable): void {
    if (this.#isOver && this.#unsettled === 0) return cleanup.stop();
    (this.#settledCleanups ??= []).push(cleanup);
  }

  #settled(): void {
    const cleanups = this.#settledCleanups;
    this.#settledCleanups = undefined;
    for (const cleanup of cleanups ?? []) cleanup.stop();
  }

  /** Calls `cleanup.stop()` when the response has ended, before the observers are notified; at once if it has ended. */
  addCleanup(cleanup: Stoppable): void {
    if (this.#isOver) cleanup.stop();
    // Pushing to an empty array reserves memory for many elements, and most requests have one.
    else if (this.#cleanups === undefined) this.#cleanups = [cleanup];
    else this.#cleanups.push(cleanup);
  }

  /** Notifies an observer when the request ends. An observer that is added after the end is not notified. */
  observe(observer: ServerObserver | undefined): void {
    if (observer === undefined || this.#isOver) return;
    if (this.#observers === undefined) this.#observers = [observer];
    else this.#observers.push(observer);
  }

  /**
   * The context to derive from in a nested middleware: `ctx`, or the context of the request if `ctx` belongs to another
   * one.
   */
  innermost(ctx: Context): Context {
    return ctx.value(serverRequestKey) === this ? ctx : this.ctx;
  }

  /** Cancels the context of the request. */
  cancel(cause: unknown): void {
    this.#cancel?.(cause);
  }

  /** Answers in place of the handler if this library answers the error and the response is not closed. */
  forceAnswer(error: unknown): void {
    this.response?.forceAnswer(error, this);
  }

  /** Called when a context of this request ends. If its deadline has passed, answers in place of the handler. */
  contextEnded(ctx: Context): void {
    const error = ctx.err();
    if (isDeadline(error)) this.forceAnswer(error);
  }

  /**
   * Records the error that explains the response. The first one is kept. Errors after the client has left are ignored.
   */
  fail(error: unknown): void {
    if (this.response?.isAborted !== true) this.#error ??= error;
  }

  /**
   * Whether an error only results from the end of the request: its client has left, or its response has ended. It can
   * be ignored.
   */
  canIgnore(error: unknown): boolean {
    if (this.response?.isAborted ?? this.ctx.cause() instanceof ClientDisconnected) return isDisconnect(error);
    return this.#isOver && isCancellation(error);
  }

  /** Ends the request: cancels its context and notifies the observers. A second call does nothing. */
  end({ isDelivered, status }: ResponseEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const cleanups = this.#cleanups;
    const observers = this.#observers;
    const route = this.route;
    const error = this.#error;
    // The context may live long, for example in the async scope of a pooled connection, so it must not retain these.
    this.#cleanups = this.#observers = this.route = this.response = this.connection = undefined;
    if (cleanups !== undefined) for (const cleanup of cleanups) cleanup.stop();
    // Canceling the context would hide that its deadline has passed.
    const endedBy = observers === undefined ? undefined : this.#endedBy(isDelivered, status);
    this.#cancel?.(isDelivered ? RESPONSE_SENT : (error ?? withoutStack(() => new ClientDisconnected())));
    if (endedBy !== undefined)
      notifyAll(observers!, { isDelivered, status, endedBy, error, route: routeOf(route) }, this);
    if (this.#unsettled === 0) this.#settled();
  }

  /** Printed with every request of the host, which has this as a property. It reveals nothing of the content. */
  toString(): string {
    return this.#isOver ? "ServerRequest (over)" : "ServerRequest";
  }

  #endedBy(isDelivered: boolean, status: number | undefined): EndedBy {
    if (isDelivered && (status ?? 0) < 500) return this.refusal === undefined ? "response" : "refusal";
    const problem = this.refusal ?? problemOf(this.#error);
    if (problem?.document.status === 504 && (status === 504 || !isDelivered)) return "deadline";
    if (this.refusal !== undefined && isDelivered) return "refusal";
    // An error handler of the application may have replaced the error.
    if (isDeadline(this.ctx.err())) return "deadline";
    if (isDelivered) return "response";
    return this.#error === undefined ? "client" : "error";
  }
}

Object.defineProperty(ServerRequest.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: ServerRequest): string {
    return this.toString();
  },
});

/** Notifies all observers, even if one throws. Its error becomes an uncaught exception. */
function notifyAll(observers: readonly ServerObserver[], outcome: Outcome, serverRequest: ServerRequest): void {
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

/** The route, or `undefined` if the router throws. */
function routeOf(route: string | Router | undefined): string | undefined {
  if (typeof route !== "object") return route;
  try {
    return route.route?.();
  } catch {
    return undefined;
  }
}

/** Whether an error reports a passed deadline: of a context, or of a limit on the response. */
export function isDeadline(error: unknown): boolean {
  for (const each of causes(error)) if (each instanceof DeadlineExceeded) return true;
  return false;
}

/**
 * The request that the context belongs to. A context that was detached from its request with `withoutCancel` belongs to
 * none.
 */
export function serverRequestIn(ctx: Context): ServerRequest | undefined {
  const serverRequest = ctx.value(serverRequestKey);
  return serverRequest !== undefined && isAttached(ctx, serverRequest.ctx) ? serverRequest : undefined;
}

/**
 * Sets the route that the request has matched, such as `/items/:id`, for its span, its metrics and deadline-aware
 * admission. Call it if the router does not expose the route, as in fetch handlers. Does nothing outside of a request.
 */
export function setRoute(route: string, ctx: Context = current()): void {
  const serverRequest = serverRequestIn(ctx);
  if (serverRequest !== undefined) serverRequest.route = route;
}
