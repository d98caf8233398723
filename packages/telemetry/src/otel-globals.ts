import * as api from "@opentelemetry/api";
import { type RegisteredApi, registeredApi } from "@throughline/context/internal";

const { context, diag, metrics, propagation, trace } = api;

/** Part of the API since version 1.10. Older versions have a separate package for it. */
const logs = (api as Partial<Pick<typeof api, "logs">>).logs;

/** The methods that providers of an SDK have, and those of the API do not. */
interface Provider {
  /** Present on the API's proxy. A check of the class would fail if the SDK has another copy of the API. */
  getDelegate?(): Provider;
  forceFlush?(): Promise<void>;
  shutdown?(): Promise<void>;
}

/** Whether this part of the API has a global implementation. */
export function isRegistered(part: keyof RegisteredApi): boolean {
  return registeredApi()[part] !== undefined;
}

/**
 * Flushes or shuts down the global providers of traces, metrics and logs. A provider that fails does not stop the
 * others, as it would in the SDK's own shutdown. It never rejects: failures are logged.
 */
export async function callProviders(method: "forceFlush" | "shutdown"): Promise<void> {
  const tracers = trace.getTracerProvider() as Provider;
  const providers: object[] = [
    tracers.getDelegate?.() ?? tracers,
    metrics.getMeterProvider(),
    logs?.getLoggerProvider() ?? legacyLoggerProvider(),
  ];
  const settled = await Promise.allSettled(providers.map(async (provider: Provider) => provider[method]?.()));
  for (const each of settled) {
    if (each.status === "rejected") diag.error(`Cannot send all telemetry: ${String(each.reason)}`);
  }
}

/** The global provider of logs where the API of logs is a separate package. */
function legacyLoggerProvider(): object {
  const registered = (globalThis as { [LEGACY_LOGS]?: (version: number) => object })[LEGACY_LOGS];
  return registered?.(1) ?? {};
}

const LEGACY_LOGS = Symbol.for("io.opentelemetry.js.api.logs");

/** Removes all global implementations, except the logger of OpenTelemetry's own messages. */
export function disableGlobals(): void {
  for (const each of [trace, metrics, propagation, context]) each.disable();
  logs?.disable();
  delete (globalThis as { [LEGACY_LOGS]?: unknown })[LEGACY_LOGS];
}
