import type { Context } from "./context.ts";
import { type Listener, type Listeners, stopListening } from "./scope.ts";

/** An object that is notified when a context ends. */
export interface EndObserver {
  /** Called synchronously during cancel. An error that it throws becomes an uncaught exception. */
  contextEnded(ctx: Context): void;
}

/** A subscription or activity that can be stopped. A second `stop` does nothing. */
export interface Stoppable {
  stop(): void;
}

const STOPPED: Stoppable = { stop() {} };

/**
 * Notifies an observer when `ctx` ends, before its signals abort and callbacks run: a server must send its response
 * before a stream that listens to the signal destroys the connection. If the context has ended, it notifies
 * immediately.
 */
export function onEndFirst(ctx: Context, observer: EndObserver): Stoppable {
  return observe(ctx, observer, true);
}

/**
 * Notifies an observer synchronously when `ctx` ends, after its signals abort. Cheaper than `afterFunc`. If the context
 * has ended, it notifies immediately.
 */
export function onEnd(ctx: Context, observer: EndObserver): Stoppable {
  return observe(ctx, observer, false);
}

function observe(ctx: Context, observer: EndObserver, isPriority: boolean): Stoppable {
  // This does not read the clock: the timer detects a deadline that has just passed.
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
