import { INVALID_TRACEID, trace } from "@opentelemetry/api";
import { type Context, createKey, current, withValue } from "@throughline/context";

const traceIdKey = createKey<string>("trace id");

/** The id of the trace that a request belongs to, for logs and answers; `undefined` where nobody traces. */
export function traceId(ctx: Context = current()): string | undefined {
  return ctx.value(traceIdKey);
}

/** Binds the id of the trace that the context carries, if it carries one. */
export function bindTraceId(ctx: Context): Context {
  const id = trace.getSpanContext(ctx)?.traceId;
  return id !== undefined && id !== INVALID_TRACEID ? withValue(ctx, traceIdKey, id) : ctx;
}
