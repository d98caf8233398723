import type { Context } from "./context.ts";
import { type Member, release, unlist, type Watch } from "./watch.ts";

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
 * Notifies an observer when `ctx` ends, before any signal is aborted and any callback called: for a server that has to answer before others can break
 * off what is to be answered on. At once, if it has ended.
 */
export function onEndFirst(ctx: Context, observer: EndObserver): Stoppable {
  return observe(ctx, observer, true);
}

/** Notifies an observer when `ctx` ends, together with its signals: cheaper than `afterFunc`, for what is done for each call. At once, if it has ended. */
export function onEnd(ctx: Context, observer: EndObserver): Stoppable {
  return observe(ctx, observer, false);
}

/** Whether the context can end: `background`, and what only binds values on it, cannot. */
export function canEnd(ctx: Context): boolean {
  return ctx.scope.parent !== undefined;
}

function observe(ctx: Context, observer: EndObserver, isFirst: boolean): Stoppable {
  // A deadline that has passed unnoticed is noticed in a moment, by its timer: the clock need not be read.
  if (ctx.scope.poll(-Infinity) !== undefined) {
    observer.contextEnded(ctx);
    return STOPPED;
  }
  const listed = new Listener(ctx, observer, isFirst);
  ctx.scope.observe()?.add(listed);
  return listed;
}

class Listener implements Member, Stoppable {
  next: Member | undefined = undefined;
  previous: Member | undefined = undefined;
  list: Watch | undefined = undefined;
  readonly scope = undefined;
  readonly isFirst: boolean;
  readonly #ctx: Context;
  readonly #observer: EndObserver;

  constructor(ctx: Context, observer: EndObserver, isFirst: boolean) {
    this.isFirst = isFirst;
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
    const { list } = this;
    unlist(this);
    if (list !== undefined) release(list);
  }
}
