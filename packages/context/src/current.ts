import { context as otel, type Context as OtelContext, ROOT_CONTEXT, trace } from "@opentelemetry/api";

import { storage } from "./async-scope.ts";
import { adopt, background, type Context, isContext, parentOf } from "./context.ts";
import { describeValue } from "./describe-value.ts";
import { isAttached } from "./inspect.ts";
import { isTracingSuppressed } from "./otel-api.ts";

/**
 * A store of our own AsyncLocalStorage: the current context; or, if a context manager carries that, the request's
 * context, for when an instrumentation restores an older one.
 */
type Stored = Context | { readonly request: Context };

function stored(): Stored | undefined {
  return storage.getStore() as Stored | undefined;
}

/**
 * Returns the context of the current request, or `background` outside any request. Never throws.
 *
 * OpenTelemetry's context manager carries it if there is a working one, or else an AsyncLocalStorage of this package.
 * In an event listener it is the context of the code that emits the event: call `current()` before you add the
 * listener, or `bind` the listener.
 */
export function current(): Context {
  const active = otel.active();
  if (isContext(active)) return active;
  const own = stored();
  if (active !== ROOT_CONTEXT) return requestOf(active, own) ?? adopt(active);
  return isContext(own) ? own : background;
}

/**
 * Returns the context of the request, with the span that is now active, if an instrumentation has restored a context
 * that was active before the request's. Such a context belongs to the same trace.
 */
function requestOf(active: OtelContext, own: Stored | undefined): Context | undefined {
  if (own === undefined || isContext(own) || isTracingSuppressed(active)) return undefined;
  const { request } = own;
  const span = trace.getSpan(active);
  const isSame = span !== undefined && span.spanContext().traceId === trace.getSpanContext(request)?.traceId;
  return isSame && request.err() === undefined ? (trace.setSpan(request, span) as Context) : undefined;
}

/**
 * Calls `fn` with `ctx` as the current context, also for asynchronous work that it starts. Returns the result of `fn`.
 */
export function run<R>(ctx: Context, fn: () => R): R;
export function run<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, ...args: Args): R;
export function run<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, ...args: Args): R {
  const context = isContext(ctx) ? ctx : parentOf(ctx, "run a function");
  if (typeof fn !== "function")
    throw new TypeError(`Cannot run a function: 'fn' must be a function; received ${describeValue(fn)}`);
  return otel.with(context, enter<Args, R>, undefined, context, fn, args);
}

/**
 * Called inside OpenTelemetry's `with`. Enters our own storage if no context manager carried the context. A manager may
 * derive from it, so this compares scopes instead of contexts.
 */
function enter<Args extends unknown[], R>(ctx: Context, fn: (...args: Args) => R, args: Args): R {
  const active = otel.active();
  if (!isContext(active) || active.scope !== ctx.scope) return storage.run(ctx, fn, ...args);
  // A context that is not attached to the stored request must not be mistaken for a part of it.
  const own = stored();
  const isDetached = own !== undefined && !isContext(own) && !isAttached(ctx, own.request);
  return isDetached ? storage.run({ request: ctx }, fn, ...args) : fn(...args);
}

/**
 * The same as `run`, for a whole request: `current()` finds the request's context even if an instrumentation restores
 * the context that was active before it, as some do between two handlers.
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
  // If nothing was active before, an instrumentation has nothing to restore.
  if (before === ROOT_CONTEXT && storage.getStore() === undefined) return fn(...args);
  return storage.run({ request: ctx }, fn, ...args);
}

/** Returns a function that calls `fn` with `ctx` as the current context: for event listeners, pools and queues. */
export function bind<This, Args extends unknown[], R>(
  ctx: Context,
  fn: (this: This, ...args: Args) => R,
): (this: This, ...args: Args) => R {
  const context = parentOf(ctx, "bind a function");
  if (typeof fn !== "function")
    throw new TypeError(`Cannot bind a function: 'fn' must be a function; received ${describeValue(fn)}`);
  return function bound(this: This, ...args: Args): R {
    return run(context, () => fn.apply(this, args));
  };
}
