import { context as otel, type Context as OtelContext, ROOT_CONTEXT, trace } from "@opentelemetry/api";

import { adopt, parentOf } from "./adopt.ts";
import { storage } from "./async-scope.ts";
import { background, type Context, isContext } from "./context.ts";
import { describeValue } from "./describe-value.ts";
import { isAttached } from "./inspect.ts";
import { isTracingSuppressed } from "./otel-api.ts";

/** What our own storage holds: the current context; or, where a context manager carries that, the request's, for when the manager is given an older one. */
type Stored = Context | { readonly request: Context };

function stored(): Stored | undefined {
  return storage.getStore() as Stored | undefined;
}

/**
 * The context of the request being served here, `background` outside of any. Never throws.
 *
 * It is carried by OpenTelemetry's context manager where one works, else by a storage of ours. In an event listener it is
 * the context of whoever emits: take it outside, or `bind` the listener.
 */
export function current(): Context {
  const active = otel.active();
  if (isContext(active)) return active;
  const own = stored();
  if (active !== ROOT_CONTEXT) return restored(active, own) ?? adopt(active);
  return isContext(own) ? own : background;
}

/**
 * The context of the request, where an instrumentation has put back what was active before it: it is the same trace, with whatever span is now
 * active.
 */
function restored(active: OtelContext, own: Stored | undefined): Context | undefined {
  if (own === undefined || isContext(own) || isTracingSuppressed(active)) return undefined;
  const { request } = own;
  const span = trace.getSpan(active);
  const isSame = span !== undefined && span.spanContext().traceId === trace.getSpanContext(request)?.traceId;
  return isSame && request.err() === undefined ? (trace.setSpan(request, span) as Context) : undefined;
}

/** Calls `fn` with `ctx` as the current context, in it and in all it starts, and returns what it returns. */
export function run<R>(ctx: Context, fn: () => R): R;
export function run<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, ...args: Args): R;
export function run<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, ...args: Args): R {
  const context = isContext(ctx) ? ctx : parentOf(ctx, "run a function");
  if (typeof fn !== "function")
    throw new TypeError(`Cannot run a function: it must be one; received ${describeValue(fn)}`);
  return otel.with(context, enter<Args, R>, undefined, context, fn, args);
}

/** Inside OpenTelemetry's `with`: where that carried the context there is nothing left to do. A manager may derive from it, so the scope tells, not identity. */
function enter<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, args: Args): R {
  const active = otel.active();
  if (!isContext(active) || active.scope !== ctx.scope) return storage.run(ctx, fn, ...args);
  // What was detached from the request that is kept there must not be taken for a part of it.
  const own = stored();
  const isApart = own !== undefined && !isContext(own) && !isAttached(ctx, own.request);
  return isApart ? storage.run({ request: ctx }, fn, ...args) : fn(...args);
}

/**
 * As `run`, for a whole request: it is known even where an instrumentation puts back the context that was active before ours, as those of
 * Express did and some do, when the next handler is called.
 */
export function runRequest<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, ...args: Args): R {
  return otel.with(ctx, enterRequest<Args, R>, undefined, ctx, otel.active(), fn, args);
}

function enterRequest<Args extends unknown[], R>(
  ctx: Context,
  before: OtelContext,
  fn: (...args: Args) => R,
  args: Args,
): R {
  const active = otel.active();
  if (!isContext(active) || active.scope !== ctx.scope) return storage.run(ctx, fn, ...args);
  // Where nothing was active before, there is nothing to put back.
  if (before === ROOT_CONTEXT && storage.getStore() === undefined) return fn(...args);
  return storage.run({ request: ctx }, fn, ...args);
}

/** A function that calls `fn` with `ctx` as the current context, wherever it is called from: for event listeners, pools and queues. */
export function bind<This, Args extends unknown[], R>(
  ctx: Context,
  fn: (this: This, ...args: Args) => R,
): (this: This, ...args: Args) => R {
  const context = parentOf(ctx, "bind a function");
  if (typeof fn !== "function")
    throw new TypeError(`Cannot bind a function: it must be one; received ${describeValue(fn)}`);
  return function bound(this: This, ...args: Args): R {
    return run(context, () => fn.apply(this, args));
  };
}
