// Entry of `node --import @throughline/observe/register app.js`. Options are environment variables.
import { writeSync } from "node:fs";
import { constants } from "node:os";

import type { Duration } from "@throughline/context";
import { milliseconds } from "@throughline/context/internal";

import { Observer } from "./observer.ts";
import { serveReport } from "./report-server.ts";
import { formatReport } from "./report.ts";

const { THROUGHLINE_OBSERVE_LIMIT, THROUGHLINE_OBSERVE_INTERVAL, THROUGHLINE_OBSERVE_PORT } = process.env;
const STDERR = 2;
/** Node runs a timer with a longer delay at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const observer = new Observer(THROUGHLINE_OBSERVE_LIMIT ? { limit: THROUGHLINE_OBSERVE_LIMIT as Duration } : {});
let printed = 0;

/** Prints the report if there are new requests. Synchronously: the process may be about to end. */
function print(): void {
  const report = observer.report();
  if (report.requests === printed) return;
  printed = report.requests;
  try {
    writeSync(STDERR, `${formatReport(report)}\n`);
  } catch {
    // A pipe that is full or closed must not end the application.
  }
}

const interval = milliseconds(
  (THROUGHLINE_OBSERVE_INTERVAL || "1m") as Duration,
  "observe requests",
  "THROUGHLINE_OBSERVE_INTERVAL",
);
setInterval(print, Math.min(Math.max(interval, 1_000), MAX_TIMER_MS)).unref();
if (THROUGHLINE_OBSERVE_PORT) serveReport(observer, Number(THROUGHLINE_OBSERVE_PORT));

process.once("exit", print);
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    print();
    // An application with its own listener decides itself what follows.
    if (process.listenerCount(signal) > 0) return;
    // The kernel ignores a signal without a handler that is sent to the first process of a container.
    if (process.pid === 1) process.exit(128 + constants.signals[signal]);
    process.kill(process.pid, signal);
  });
}
