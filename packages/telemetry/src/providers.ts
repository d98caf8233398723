import * as api from "@opentelemetry/api";

const { context, diag, metrics, propagation, trace } = api;

/** Part of the API from 1.10 on; before, it had a package of its own. */
const logs = (api as Partial<Pick<typeof api, "logs">>).logs;

/** What an SDK's providers have besides what the API says. A provider of the API alone has nothing to send. */
interface Provider {
  /** That of the API's proxy. Not by its class: the SDK may have another copy of the API. */
  getDelegate?(): Provider;
  forceFlush?(): Promise<void>;
  shutdown?(): Promise<void>;
}

/** Has each kind do it, whatever becomes of the others: the SDK's own shutdown gives them up when one fails. Never rejects. */
export async function ofAll(what: "forceFlush" | "shutdown"): Promise<void> {
  const tracers = trace.getTracerProvider() as Provider;
  const providers: object[] = [
    tracers.getDelegate?.() ?? tracers,
    metrics.getMeterProvider(),
    logs?.getLoggerProvider() ?? older(),
  ];
  for (const each of await Promise.allSettled(providers.map(async (provider: Provider) => provider[what]?.()))) {
    if (each.status === "rejected") diag.error(`Cannot send all telemetry: ${String(each.reason)}`);
  }
}

/** The provider of logs, where the API of logs is a package of its own. */
function older(): object {
  const registered = (globalThis as { [LOGS]?: (version: number) => object })[LOGS];
  return registered?.(1) ?? {};
}

const LOGS = Symbol.for("io.opentelemetry.js.api.logs");

/** As if nothing had ever been set up. */
export function forgetAll(): void {
  for (const each of [trace, metrics, propagation, context]) each.disable();
  logs?.disable();
  delete (globalThis as { [LOGS]?: unknown })[LOGS];
}
