import { type Context as OtelContext, createContextKey } from "@opentelemetry/api";

/** A key of OpenTelemetry's core, the same in every version of it: `createContextKey` gives `Symbol.for(name)`. */
const SUPPRESS_TRACING = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** Whether this is telemetry's own traffic, which must not be hit by a user's deadline, nor be traced. */
export function isSuppressed(ctx: OtelContext): boolean {
  return ctx.getValue(SUPPRESS_TRACING) === true;
}
