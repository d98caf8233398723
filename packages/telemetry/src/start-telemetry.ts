import { context, logs, metrics, propagation, ProxyTracerProvider, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";

import { type TelemetryOptions, type TelemetrySettings, telemetrySettings } from "./options.ts";

/** OpenTelemetry as it runs in this process. */
export interface Telemetry extends AsyncDisposable {
  /**
   * Sends what is left, then stops; a second call gives the same promise. Call it once requests are drained. It never rejects, and
   * takes no longer than `shutdownTimeout`: a collector that is down must not keep a service from ending.
   */
  shutdown(): Promise<void>;
}

let running: Telemetry | undefined;

/**
 * Sets OpenTelemetry up for this process: context, propagation, traces, metrics and logs. Call it before the first request.
 *
 * Every OTEL_* variable is honoured, and wins over an option: what the operator of a service says overrides what its author wrote.
 * With `OTEL_SDK_DISABLED=true` nothing is set up, and contexts work all the same.
 *
 * @throws TypeError, RangeError if an option is wrong
 * @throws Error if it is running already, or if something else has set OpenTelemetry up
 */
export function startTelemetry(options: TelemetryOptions = {}): Telemetry {
  const settings = telemetrySettings(options);
  if (running !== undefined) {
    throw new Error(
      "Cannot start telemetry: it is running already: keep what the first call returned, or shut that down before",
    );
  }
  if (isSetUp()) {
    throw new Error(
      "Cannot start telemetry: something else has set OpenTelemetry up in this process: remove one of the two",
    );
  }
  start(settings);
  let stopped: Promise<void> | undefined;
  const shutdown = (): Promise<void> => (stopped ??= stop(settings.shutdownTimeout));
  running = { shutdown, [Symbol.asyncDispose]: shutdown };
  return running;
}

/** The SDK and its exporters read their settings from the environment while they are made. */
function start({ environment, instrumentations }: TelemetrySettings): void {
  const before = { ...process.env };
  try {
    for (const [name, value] of Object.entries(environment)) process.env[name] ||= value;
    new NodeSDK({ instrumentations }).start();
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

async function stop(timeout: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeout)));
  await Promise.race([shutDownAll(), late]);
  clearTimeout(timer);
  for (const api of [trace, metrics, logs, propagation, context]) api.disable();
  running = undefined;
}

/** Has each kind send what is left, and stop. The SDK's own shutdown gives up the others when one fails. */
async function shutDownAll(): Promise<void> {
  const tracers = trace.getTracerProvider();
  const providers: object[] = [
    tracers instanceof ProxyTracerProvider ? tracers.getDelegate() : tracers,
    metrics.getMeterProvider(),
    logs.getLoggerProvider(),
  ];
  // A provider of the API alone has nothing to stop.
  await Promise.allSettled(providers.map(async (provider: { shutdown?(): Promise<void> }) => provider.shutdown?.()));
}

function isSetUp(): boolean {
  const api = (globalThis as Record<symbol, Record<string, unknown> | undefined>)[Symbol.for("opentelemetry.js.api.1")];
  return api?.["trace"] !== undefined || api?.["context"] !== undefined;
}
