import {
  type Context as OtelContext,
  type ContextManager,
  createContextKey,
  type TextMapPropagator,
  type TracerProvider,
} from "@opentelemetry/api";

/** A key of OpenTelemetry's core, the same in every version, as `createContextKey` returns `Symbol.for(name)`. */
const SUPPRESS_TRACING = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** Whether this is traffic of the telemetry itself, such as an export: it is not traced, and a user's deadline does not apply to it. */
export function isTracingSuppressed(ctx: OtelContext): boolean {
  return ctx.getValue(SUPPRESS_TRACING) === true;
}

/** The global parts of OpenTelemetry that a process has set up. */
export interface RegisteredApi {
  readonly version: string;
  readonly trace: TracerProvider;
  readonly context: ContextManager;
  readonly diag: object;
  readonly propagation: TextMapPropagator;
}

/** Where every copy of OpenTelemetry's API keeps its globals. A copy ignores globals of an older minor version. */
const API = Symbol.for("opentelemetry.js.api.1");

const NOTHING: Partial<RegisteredApi> = {};

/** What any copy of OpenTelemetry's API has set up in this process. The API itself has no function for this. */
export function registeredApi(): Partial<RegisteredApi> {
  return (globalThis as { [API]?: Partial<RegisteredApi> })[API] ?? NOTHING;
}
