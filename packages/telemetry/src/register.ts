// For `node --import @throughline/telemetry/register app.js`: telemetry before the first line of the application, set up by OTEL_* variables.
import { startTelemetry } from "./start-telemetry.ts";

const telemetry = startTelemetry();

/** Sends what is left when there is nothing more to do. */
process.once("beforeExit", () => void telemetry.shutdown());

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  const end = (): void => {
    process.off(signal, end);
    // An application that listens itself drains first, and ends of itself. It may do so by `process.exit()`, which waits for nobody: what there
    // is so far is sent at once, and for the rest it has `runningTelemetry()?.shutdown()`.
    if (process.listenerCount(signal) > 0) return void telemetry.flush();
    // For any other the signal is what it was, after the last export.
    void telemetry.shutdown().then(() => process.kill(process.pid, signal));
  };
  process.on(signal, end);
}
