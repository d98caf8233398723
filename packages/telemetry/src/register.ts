// For `node --import @throughline/telemetry/register app.js`: telemetry before the first line of the application, set up by OTEL_* variables.
import { constants } from "node:os";

import { startTelemetry } from "./start-telemetry.ts";
import { workerThreads } from "./threads.ts";

/** How long a process that fails is kept for its last export. */
const LAST_EXPORT_MS = 1_000;

const telemetry = startTelemetry();
const workers = workerThreads(telemetry);

/** Sends what there is so far, that of worker threads too. */
function flush(): Promise<unknown> {
  return Promise.all([telemetry.flush(), workers.flush()]);
}

/** Sends what is left, that of worker threads too, within the time that an export may take. */
async function shutDown(): Promise<void> {
  const own = telemetry.shutdown();
  await Promise.race([Promise.all([own, workers.flush()]), own.then(() => timeout(LAST_EXPORT_MS))]);
}

/** Sends what is left when there is nothing more to do. */
process.once("beforeExit", () => void telemetry.shutdown());

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  const end = (): void => {
    process.off(signal, end);
    // An application that listens itself drains first, and ends of itself. It may do so by `process.exit()`, which waits for nobody: what there
    // is so far is sent at once, and for the rest it has `runningTelemetry()?.shutdown()`.
    if (process.listenerCount(signal) > 0) return void flush();
    void shutDown().then(() => endBy(signal));
  };
  process.on(signal, end);
}

/** For any other the signal is what it was. */
function endBy(signal: "SIGTERM" | "SIGINT"): void {
  // The kernel drops a signal without a listener that is sent to the first process of a container.
  if (process.pid === 1) process.exit(128 + constants.signals[signal]);
  process.kill(process.pid, signal);
}

/**
 * An exception that nothing handles ends the process. The last export goes first: for its time the exception counts as handled. Then it is thrown
 * again, without that, so that Node itself ends the process: by its own message, 'exit' event and exit code.
 *
 * The monitor is called right before the listeners. Ours is added only where there is none: with one the application, or Sentry, decides what
 * happens, and some look at how many there are. What fails meanwhile comes here as well, and waits for the same export, behind the first.
 */
process.on("uncaughtExceptionMonitor", () => {
  if (process.listenerCount("uncaughtException") > 0 || process.hasUncaughtExceptionCaptureCallback()) {
    void flush();
    return;
  }
  process.once("uncaughtException", (error) => {
    void Promise.race([shutDown(), timeout(LAST_EXPORT_MS)]).then(() => fail(error));
  });
});

/** Ends the process by this exception as Node does. */
function fail(error: unknown): void {
  // They have been called for it.
  for (const event of ["uncaughtException", "uncaughtExceptionMonitor", "unhandledRejection"] as const) {
    process.removeAllListeners(event);
  }
  // Of a rejection Node shows the line that made the error; if thrown from here it would show this one.
  if (error instanceof Error) void Promise.reject(error);
  // `--unhandled-rejections` may let it pass.
  setImmediate(() => {
    throw error;
  });
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
