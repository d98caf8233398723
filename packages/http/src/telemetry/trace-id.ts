import { INVALID_TRACEID, trace } from "@opentelemetry/api";
import { type Context, current } from "@throughline/context";

/** The id of the trace that a request belongs to, for logs and answers; `undefined` where there is none. */
export function traceId(ctx: Context = current()): string | undefined {
  const id = trace.getSpanContext(ctx)?.traceId;
  return id === INVALID_TRACEID ? undefined : id;
}
