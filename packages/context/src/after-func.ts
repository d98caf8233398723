import { AsyncResource } from "node:async_hooks";

import type { Context as OtelContext } from "@opentelemetry/api";

import { parentOf } from "./adopt.ts";
import type { Context } from "./context.ts";
import { run } from "./current.ts";
import { describeValue } from "./describe-value.ts";
import { type Listener, type Listeners, stopListening } from "./scope.ts";

/**
 * Calls `fn` once `ctx` has ended, by cancel or by deadline; at once if it has ended already (Go: `AfterFunc`).
 *
 * It is called later, in a microtask, never inside of the `cancel`. In it `current()` is `ctx`, and every other AsyncLocalStorage has the store that it had
 * at this call. An error that it throws becomes an uncaught exception, as with an event listener; other listeners are still called.
 *
 * @returns stop: true if it kept `fn` from being called; false if `fn` has been started or was stopped before
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
    // Once the scope is marked as ended it is too late: a callback must never both run and count as stopped.
    if (this.#fn === undefined || this.#ctx.scope.ended !== undefined) return false;
    this.#fn = undefined;
    stopListening(this);
    return true;
  }
}

/** Callbacks of contexts that have ended, in the order in which they ended. */
let ready: (() => void)[] = [];

/** Calls a callback in a microtask, one for all that end together. An error becomes an uncaught exception; the other callbacks are still called. */
function callSoon(callback: () => void): void {
  // Not `queueMicrotask`, which a test may have faked.
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
