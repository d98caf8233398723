import type { Context } from "./context.ts";
import { type Member, release, unlist, type Watch } from "./watch.ts";

/**
 * Has `fn` called when `ctx` ends, before any signal is aborted and any callback called: for whoever has to answer before others can break off
 * what is to be answered on. It is called inside of the cancel, by nobody's leave: what it throws is an uncaught exception.
 *
 * @returns stop
 */
export function beforeOthers(ctx: Context, fn: () => void): () => void {
  // A deadline that has passed unnoticed is noticed in a moment, by its timer: the clock need not be read.
  if (ctx.scope.poll(-Infinity) !== undefined) {
    fn();
    return () => {};
  }
  const first = new First(fn);
  ctx.scope.observe()?.add(first);
  return () => first.stop();
}

class First implements Member {
  next: Member | undefined = undefined;
  previous: Member | undefined = undefined;
  list: Watch | undefined = undefined;
  readonly scope = undefined;
  readonly isFirst = true;
  readonly #fn: () => void;

  constructor(fn: () => void) {
    this.#fn = fn;
  }

  notify(): void {
    try {
      this.#fn();
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
