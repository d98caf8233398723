import { AsyncResource } from "node:async_hooks";

import type { Context as OtelContext } from "@opentelemetry/api";

import { type Context, parentOf } from "./context.ts";
import { run } from "./current.ts";
import { describeValue } from "./describe-value.ts";
import { type Listener, type Listeners, stopListening } from "./scope.ts";

/**
 * Calls `fn` when `ctx` has ended, or soon if it has ended already (Go: `AfterFunc`).
 *
 * `fn` runs in a microtask, never inside the `cancel`. During the call `current()` is `ctx`, and every other
 * AsyncLocalStorage has the store that it had when `afterFunc` was called. An error thrown by `fn` becomes an uncaught
 * exception, and other callbacks are still called.
 *
 * @returns a function that stops the callback: it returns true if `fn` will not be called, and false if the context has
 * ended or the callback was stopped before
 */
export function afterFunc(ctx: OtelContext, fn: () => void): () => boolean {
  const context = parentOf(ctx, "wait for a context to end");
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot wait for a context to end: 'fn' must be a function; received ${describeValue(fn)}`);
  }
  const callback = new Callback(context, fn);
  if (context.scope.poll() === undefined) context.scope.listen()?.add(callback);
  else callback.notify();
  return () => callback.stop();
}

class Callback extends AsyncResource implements Listener {
  next: Listener | undefined = undefined;
  previous: Listener | undefined = undefined;
  list: Listeners | undefined = undefined;
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
    // The scope may be marked as ended before this listener is notified. A callback must never both run and be reported
    // as stopped.
    if (this.#fn === undefined || this.#ctx.scope.ended !== undefined) return false;
    this.#fn = undefined;
    stopListening(this);
    return true;
  }
}

/** Callbacks of contexts that have ended, in the order of the ends. */
let ready: (() => void)[] = [];

/**
 * Calls a callback in a microtask, which all contexts that end together share. An error becomes an uncaught exception
 * and does not affect other callbacks.
 */
function callSoon(callback: () => void): void {
  // Not `queueMicrotask`, which a test may fake.
  if (ready.push(callback) === 1) void Promise.resolve().then(callAll);
}

function callAll(): void {
  const callbacks = ready;
  ready = [];
  for (const callback of callbacks) {
    try {
      callback();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
