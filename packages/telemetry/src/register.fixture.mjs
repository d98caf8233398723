// An application that uses only the API of OpenTelemetry. The argument selects how it behaves and ends.
import { readlinkSync } from "node:fs";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

import { trace } from "@opentelemetry/api";

trace.getTracer("application").startSpan("one").end();
const [what] = process.argv.slice(2);

if (isMainThread) {
  const isWaiting = !["ends", "throws", "rejects", "throws twice", "ends itself"].includes(what);
  const timer = isWaiting ? setInterval(() => {}, 1000) : undefined;
  if (what === "drains") {
    process.once("SIGTERM", () => {
      process.exitCode = 3;
      clearInterval(timer);
    });
  }
  // As most applications do when they have drained. Here the drain ends with the other signal.
  if (what === "exits") process.once("SIGTERM", () => process.once("SIGUSR2", () => process.exit(4)));
  if (what === "throws") setTimeout(fail, 1);
  if (what === "rejects") void Promise.reject(new TypeError("it is broken"));
  if (what === "throws twice") setTimeout(() => setTimeout(fail, 1, "again") && fail(), 1);
  if (what === "survives") {
    process.on("uncaughtException", () => process.once("SIGUSR2", () => process.exit(5)));
    setTimeout(fail, 1);
  }
  if (what === "ends itself") process.kill(Number(readlinkSync("/proc/self")), "SIGTERM");
  const hasThread = what === "has a thread" || what === "has a thread that throws";
  if (hasThread) {
    const worker = new Worker(new URL(import.meta.url), { argv: [what] });
    if (what === "has a thread") worker.on("message", () => console.log("ready"));
    worker.on("error", (error) => {
      console.error(`the thread has failed: ${error.message}`);
      process.exit(6);
    });
  } else if (isWaiting && what !== "survives") console.log("ready");
  process.on("exit", (code) => console.error(`exit ${code}`));
} else {
  if (what === "has a thread that throws") setTimeout(fail, 1);
  parentPort.on("message", () => {});
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- only windows have a target origin
  parentPort.postMessage("ready");
}

function fail(message = "it is broken") {
  throw new TypeError(message);
}
