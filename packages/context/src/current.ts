import { context as otel, ROOT_CONTEXT } from "@opentelemetry/api";

import { background, type Context, isContext } from "./context.ts";
import { describe } from "./describe.ts";
import { ours, parentOf } from "./parent.ts";
import { storage } from "./storage.ts";

/**
 * The context of the request being served here, `background` outside of any. Never throws.
 *
 * It is carried by OpenTelemetry's context manager where one works, else by a storage of ours. In an event listener it is
 * the context of whoever emits: take it outside, or `bind` the listener.
 */
export function current(): Context {
  const active = otel.active();
  if (isContext(active)) return active;
  return active === ROOT_CONTEXT ? (storage.getStore() ?? background) : ours(active);
}

/** Calls `fn` with `ctx` as the current context, in it and in all it starts, and returns what it returns. */
export function run<R>(ctx: Context, fn: () => R): R;
export function run<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, ...args: Args): R;
export function run<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, ...args: Args): R {
  const context = isContext(ctx) ? ctx : parentOf(ctx, "run a function");
  if (typeof fn !== "function")
    throw new TypeError(`Cannot run a function: it must be one: current value is ${describe(fn)}`);
  return otel.with(context, enter<Args, R>, undefined, context, fn, args);
}

/** Inside OpenTelemetry's `with`: where that carried the context there is nothing left to do. A manager may derive from it, so the scope tells, not identity. */
function enter<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, args: Args): R {
  const active = otel.active();
  if (isContext(active) && active.scope === ctx.scope) return fn(...args);
  return storage.run(ctx, fn, ...args);
}

/** A function that calls `fn` with `ctx` as the current context, wherever it is called from: for event listeners, pools and queues. */
export function bind<This, Args extends unknown[], R>(
  ctx: Context,
  fn: (this: This, ...args: Args) => R,
): (this: This, ...args: Args) => R {
  const context = parentOf(ctx, "bind a function");
  if (typeof fn !== "function")
    throw new TypeError(`Cannot bind a function: it must be one: current value is ${describe(fn)}`);
  return function bound(this: This, ...args: Args): R {
    return run(context, () => fn.apply(this, args));
  };
}
