import {
  type Context as OtelContext,
  type ContextManager,
  createContextKey,
  type TextMapPropagator,
  type TracerProvider,
} from "@opentelemetry/api";

/**
 * The key of OpenTelemetry's core. It is the same in every version, as `createContextKey` returns `Symbol.for(name)`.
 */
const SUPPRESS_TRACING = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/**
 * Whether tracing is suppressed, as in an export of telemetry. Such traffic is not traced, and deadlines of requests do
 * not apply to it.
 */
export function isTracingSuppressed(ctx: OtelContext): boolean {
  return ctx.getValue(SUPPRESS_TRACING) === true;
}

/** The global components of OpenTelemetry that are registered in this process. */
export interface RegisteredApi {
  readonly version: string;
  readonly trace: TracerProvider;
  readonly context: ContextManager;
  readonly diag: object;
  readonly propagation: TextMapPropagator;
}

/** Where all copies of OpenTelemetry's API store their globals. A copy ignores globals of an older minor version. */
const API = Symbol.for("opentelemetry.js.api.1");

const NOTHING: Partial<RegisteredApi> = {};

/** Returns the globals that any copy of OpenTelemetry's API has registered. The API itself has no function for this. */
export function registeredApi(): Partial<RegisteredApi> {
  return (globalThis as { [API]?: Partial<RegisteredApi> })[API] ?? NOTHING;
}
