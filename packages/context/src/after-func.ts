import { AsyncResource } from "node:async_hooks";

import type { Context as OtelContext } from "@opentelemetry/api";

import { callSoon } from "./callbacks.ts";
import type { Context } from "./context.ts";
import { run } from "./current.ts";
import { describe } from "./describe.ts";
import { parentOf } from "./parent.ts";
import { type Member, release, unlist, type Watch } from "./watch.ts";

/**
 * Has `fn` called once `ctx` has ended, by cancel or by deadline; at once if it has ended already (Go: `AfterFunc`).
 *
 * It runs later, in a microtask, never inside the `cancel` that brought it about. In it `current()` is `ctx`, and every other
 * AsyncLocalStorage has the store it had here. What it throws is an uncaught exception, as with an event listener, and keeps
 * nobody else from being told.
 *
 * @returns stop: true if it kept `fn` from being called; false if `fn` has been started or was stopped before
 */
export function afterFunc(ctx: OtelContext, fn: () => void): () => boolean {
  const context = parentOf(ctx, "wait for a context to end");
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot wait for a context to end: 'fn' must be a function: current value is ${describe(fn)}`);
  }
  const callback = new Callback(context, fn);
  if (context.scope.poll() === undefined) context.scope.observe()?.add(callback);
  else callback.notify();
  return () => callback.stop();
}

class Callback extends AsyncResource implements Member {
  next: Member | undefined = undefined;
  previous: Member | undefined = undefined;
  list: Watch | undefined = undefined;
  readonly scope = undefined;
  readonly #ctx: Context;
  #fn: (() => void) | undefined;

  constructor(ctx: Context, fn: () => void) {
    super("throughline.afterFunc");
    this.#ctx = ctx;
    this.#fn = fn;
  }

  notify(): void {
    const fn = this.#fn!;
    this.#fn = undefined;
    callSoon(() => this.runInAsyncScope(run, undefined, this.#ctx, fn));
  }

  stop(): boolean {
    // Between the mark and the call it is too late: what runs and what was stopped must never be both.
    if (this.#fn === undefined || this.#ctx.scope.ended !== undefined) return false;
    this.#fn = undefined;
    const { list } = this;
    unlist(this);
    if (list !== undefined) release(list);
    return true;
  }
}
