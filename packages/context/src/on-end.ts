import type { Context } from "./context.ts";
import { type Listener, type Listeners, stopListening } from "./scope.ts";

/** An object that is notified of the end of a context. */
export interface EndObserver {
  /** Called synchronously during the cancel. An error that it throws becomes an uncaught exception. */
  contextEnded(ctx: Context): void;
}

/** Something that goes on until it is stopped. A second `stop` does nothing. */
export interface Stoppable {
  stop(): void;
}

const STOPPED: Stoppable = { stop() {} };

/**
 * Notifies an observer when `ctx` ends, before any signal aborts and any callback runs: a server must send its answer before a stream that listens to the
 * signal breaks off the connection. At once if the context has ended.
 */
export function onEndFirst(ctx: Context, observer: EndObserver): Stoppable {
  return observe(ctx, observer, true);
}

/** Notifies an observer when `ctx` ends, together with its signals. Cheaper than `afterFunc`, for what is done for each call. At once if it has ended. */
export function onEnd(ctx: Context, observer: EndObserver): Stoppable {
  return observe(ctx, observer, false);
}

function observe(ctx: Context, observer: EndObserver, isPriority: boolean): Stoppable {
  // The clock is not read: the timer will notice a deadline that has just passed.
  if (ctx.scope.poll(-Infinity) !== undefined) {
    observer.contextEnded(ctx);
    return STOPPED;
  }
  const listener = new ObserverListener(ctx, observer, isPriority);
  ctx.scope.listen()?.add(listener);
  return listener;
}

class ObserverListener implements Listener, Stoppable {
  next: Listener | undefined = undefined;
  previous: Listener | undefined = undefined;
  list: Listeners | undefined = undefined;
  readonly scope = undefined;
  readonly isPriority: boolean;
  readonly #ctx: Context;
  readonly #observer: EndObserver;

  constructor(ctx: Context, observer: EndObserver, isPriority: boolean) {
    this.isPriority = isPriority;
    this.#ctx = ctx;
    this.#observer = observer;
  }

  notify(): void {
    try {
      this.#observer.contextEnded(this.#ctx);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  stop(): void {
    stopListening(this);
  }
}
