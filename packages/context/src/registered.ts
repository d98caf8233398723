import type { ContextManager, TextMapPropagator, TracerProvider } from "@opentelemetry/api";

/** What is set up of OpenTelemetry in a process. */
export interface Registered {
  readonly version: string;
  readonly trace: TracerProvider;
  readonly context: ContextManager;
  readonly diag: object;
  readonly propagation: TextMapPropagator;
}

/** Where every copy of OpenTelemetry's API keeps it. A copy does not read what one of an older minor version has put there. */
const API = Symbol.for("opentelemetry.js.api.1");

const NOTHING: Partial<Registered> = {};

/** What any copy of OpenTelemetry's API has set up in this process. The API itself does not report it. */
export function registered(): Partial<Registered> {
  return (globalThis as { [API]?: Partial<Registered> })[API] ?? NOTHING;
}
