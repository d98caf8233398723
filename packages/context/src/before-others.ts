import type { Context } from "./context.ts";
import { type Member, release, unlist, type Watch } from "./watch.ts";

/** One that hears of the end of a context before others do. */
export interface FirstToKnow {
  /** Called inside of the cancel, by nobody's leave: what it throws is an uncaught exception. */
  contextEnded(ctx: Context): void;
}

/** Something that goes on until it is stopped. A second `stop` does nothing. */
export interface Stoppable {
  stop(): void;
}

const STOPPED: Stoppable = { stop() {} };

/**
 * Has one told when `ctx` ends, before any signal is aborted and any callback called: for whoever has to answer before others can break off
 * what is to be answered on. At once, if it has ended.
 */
export function beforeOthers(ctx: Context, first: FirstToKnow): Stoppable {
  // A deadline that has passed unnoticed is noticed in a moment, by its timer: the clock need not be read.
  if (ctx.scope.poll(-Infinity) !== undefined) {
    first.contextEnded(ctx);
    return STOPPED;
  }
  const listed = new First(ctx, first);
  ctx.scope.observe()?.add(listed);
  return listed;
}

class First implements Member, Stoppable {
  next: Member | undefined = undefined;
  previous: Member | undefined = undefined;
  list: Watch | undefined = undefined;
  readonly scope = undefined;
  readonly isFirst = true;
  readonly #ctx: Context;
  readonly #first: FirstToKnow;

  constructor(ctx: Context, first: FirstToKnow) {
    this.#ctx = ctx;
    this.#first = first;
  }

  notify(): void {
    try {
      this.#first.contextEnded(this.#ctx);
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
