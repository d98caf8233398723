import { diag } from "@opentelemetry/api";

import { type TelemetryOptions, telemetrySettings } from "./options.ts";
import { forgetAll, ofAll } from "./providers.ts";
import { isSetUp } from "./registered.ts";
import { setUp } from "./set-up.ts";

/** OpenTelemetry as it runs in this process. */
export interface Telemetry extends AsyncDisposable {
  /** Sends what there is so far. Never rejects, and takes no longer than `shutdownTimeout`. */
  flush(): Promise<void>;
  /**
   * Sends what is left, then stops; a second call gives the same promise. It never rejects: a collector that is down must not keep a
   * service from ending, so the sending takes no longer than `shutdownTimeout`.
   *
   * @param after is waited for first, however it settles: `shutdown(drain(server))` has the spans of the last requests sent too
   */
  shutdown(after?: PromiseLike<unknown>): Promise<void>;
}

let running: Telemetry | undefined;

/** What is running in this process, whoever started it: `node --import @throughline/telemetry/register`, say. */
export function runningTelemetry(): Telemetry | undefined {
  return running;
}

/**
 * Sets OpenTelemetry up for this process: context, propagation, traces, metrics and logs; every span under a Context tells of its deadline. Call
 * it before the first request.
 *
 * Every OTEL_* variable is honoured, and wins over an option: what the operator of a service says overrides what its author wrote. With
 * `OTEL_CONFIG_FILE` the file says everything but instrumentations and propagators. With `OTEL_SDK_DISABLED=true` nothing is set up, and
 * contexts work all the same.
 *
 * Spans that are dropped, and exports that fail, are warned of on the console (OTEL_LOG_LEVEL) and counted (`otel.sdk.*`).
 *
 * @throws TypeError, RangeError if an option is wrong
 * @throws Error if it is running already, if something else has set OpenTelemetry up, or if the file cannot be used
 */
export function startTelemetry(options: TelemetryOptions = {}): Telemetry {
  const settings = telemetrySettings(options);
  if (running !== undefined) {
    throw new Error(
      "Cannot start telemetry: it is running already: keep what the first call returned, or shut that down before; runningTelemetry() gives it",
    );
  }
  if (isSetUp("trace") || isSetUp("context")) {
    throw new Error(
      "Cannot start telemetry: something else has set OpenTelemetry up in this process: remove one of the two",
    );
  }
  const hasLogger = isSetUp("diag");
  setUp(settings);
  const within = (work: () => Promise<unknown>): Promise<void> => atMost(settings.shutdownTimeout, work);
  let stopped: Promise<void> | undefined;
  async function stop(after: PromiseLike<unknown> | undefined): Promise<void> {
    await Promise.allSettled([after]);
    await within(() => ofAll("shutdown"));
    forgetAll();
    if (!hasLogger) diag.disable();
    running = undefined;
  }
  const telemetry: Telemetry = {
    flush: () => within(() => ofAll("forceFlush")),
    shutdown: (after) => (stopped ??= stop(after)),
    [Symbol.asyncDispose]: () => telemetry.shutdown(),
  };
  return (running = telemetry);
}

async function atMost(ms: number, work: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work(), late]);
  clearTimeout(timer);
}
