import { diag } from "@opentelemetry/api";

import { type TelemetryOptions, telemetrySettings } from "./options.ts";
import { callProviders, disableGlobals, isRegistered } from "./otel-globals.ts";
import { startSdk } from "./start-sdk.ts";

/** The telemetry of this process. */
export interface Telemetry extends AsyncDisposable {
  /** Exports everything recorded so far. It never rejects, and takes no longer than `shutdownTimeout`. */
  flush(): Promise<void>;
  /**
   * Exports the rest, then stops. The export takes no longer than `shutdownTimeout`. It never rejects: a collector that
   * is down must not keep a service from ending. A second call returns the same promise.
   *
   * @param after a promise to wait for before the export, however it settles: `shutdown(drain(server))` also exports
   * the spans of the last requests
   */
  shutdown(after?: PromiseLike<unknown>): Promise<void>;
}

let running: Telemetry | undefined;

/**
 * Returns the running telemetry of this process, such as that of `node --import @throughline/telemetry/register`;
 * `undefined` if there is none.
 */
export function runningTelemetry(): Telemetry | undefined {
  return running;
}

/**
 * Starts OpenTelemetry for this process: context, propagation, traces, metrics and logs. Every span under a Context
 * records its deadline. Call it before the first request.
 *
 * `OTEL_*` variables override options: the operator of a service has precedence over its author. A file that
 * `OTEL_CONFIG_FILE` names replaces all options except `instrumentations`, `propagators`, `spanProcessors`,
 * `baggageAttributes` and `shutdownTimeout`. With `OTEL_SDK_DISABLED=true` no SDK is started; contexts work without it.
 *
 * Dropped spans and failed exports are logged to the console (`OTEL_LOG_LEVEL`) and counted (`otel.sdk.*`).
 *
 * @throws TypeError, RangeError if an option is wrong
 * @throws Error if it is running already, if other code has registered an SDK, or if the file cannot be used
 */
export function startTelemetry(options: TelemetryOptions = {}): Telemetry {
  const settings = telemetrySettings(options);
  if (running !== undefined) {
    throw new Error("Cannot start telemetry: it is running already; use runningTelemetry(), or shut it down first");
  }
  if (isRegistered("trace") || isRegistered("context")) {
    throw new Error(
      "Cannot start telemetry: an OpenTelemetry SDK is registered in this process already; remove one of the two",
    );
  }
  const hasLogger = isRegistered("diag");
  startSdk(settings);
  const limited = (work: () => Promise<unknown>): Promise<void> => withLimit(settings.shutdownTimeout, work);
  let stopped: Promise<void> | undefined;
  async function stop(after: PromiseLike<unknown> | undefined): Promise<void> {
    await Promise.allSettled([after]);
    await limited(() => callProviders("shutdown"));
    disableGlobals();
    if (!hasLogger) diag.disable();
    running = undefined;
  }
  const telemetry: Telemetry = {
    flush: () => limited(() => callProviders("forceFlush")),
    shutdown: (after) => (stopped ??= stop(after)),
    [Symbol.asyncDispose]: () => telemetry.shutdown(),
  };
  return (running = telemetry);
}

/** Waits for the work, for `ms` milliseconds at most. */
async function withLimit(ms: number, work: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work(), late]);
  clearTimeout(timer);
}
