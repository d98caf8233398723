// Entry of `node --import @throughline/telemetry/register app.js`: starts telemetry before the application, configured
// by OTEL_* variables.
import { constants } from "node:os";

import { startTelemetry } from "./start-telemetry.ts";
import { workerThreads } from "./worker-threads.ts";

/** The limit of the last export of a process that fails. */
const LAST_EXPORT_MS = 1_000;

const telemetry = startTelemetry();
const workers = workerThreads(telemetry);

/** Exports everything recorded so far, also in worker threads. */
function flush(): Promise<unknown> {
  return Promise.all([telemetry.flush(), workers.flush()]);
}

/** Exports the rest, also in worker threads, which get a second more than this thread. */
async function shutDown(): Promise<void> {
  const own = telemetry.shutdown();
  await Promise.race([Promise.all([own, workers.flush()]), own.then(() => timeout(LAST_EXPORT_MS))]);
}

// The event loop is empty: the process is about to exit.
process.once("beforeExit", () => void telemetry.shutdown());

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  const end = (): void => {
    process.off(signal, end);
    // An application with its own listener drains first, and then ends the process, perhaps with `process.exit()`,
    // which does not wait. So everything recorded so far is exported at once; for the rest the application calls
    // `runningTelemetry()?.shutdown()`.
    if (process.listenerCount(signal) > 0) return void flush();
    void shutDown().then(() => endBy(signal));
  };
  process.on(signal, end);
}

/** Ends the process as the signal would have without our listener. */
function endBy(signal: "SIGTERM" | "SIGINT"): void {
  // The kernel ignores a signal without a handler that is sent to the first process of a container.
  if (process.pid === 1) process.exit(128 + constants.signals[signal]);
  process.kill(process.pid, signal);
}

// An uncaught exception ends the process, but the last export runs first. During it our listener handles the exception.
// Then the exception is thrown again without a listener, so that Node ends the process with its own message, 'exit'
// event and exit code.
//
// The monitor is called right before the listeners. It adds our listener only if there is no other: otherwise the
// application, or a tool such as Sentry, decides what happens, and some of them count the listeners. Further exceptions
// during the export take the same way, after the first.
process.on("uncaughtExceptionMonitor", () => {
  if (process.listenerCount("uncaughtException") > 0 || process.hasUncaughtExceptionCaptureCallback()) {
    void flush();
    return;
  }
  process.once("uncaughtException", (error) => {
    void Promise.race([shutDown(), timeout(LAST_EXPORT_MS)]).then(() => fail(error));
  });
});

/** Ends the process with this exception, as Node does. */
function fail(error: unknown): void {
  // These listeners were called for the exception already.
  for (const event of ["uncaughtException", "uncaughtExceptionMonitor", "unhandledRejection"] as const) {
    process.removeAllListeners(event);
  }
  // For a rejection Node prints the source line that created the error; for an exception it would print the line of the
  // `throw` below.
  if (error instanceof Error) void Promise.reject(error);
  // With some values of `--unhandled-rejections` the rejection does not end the process.
  setImmediate(() => {
    throw error;
  });
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
