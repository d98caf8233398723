// An application that knows of OpenTelemetry's API only.
import { trace } from "@opentelemetry/api";

trace.getTracer("application").startSpan("one").end();
const [what] = process.argv.slice(2);
const timer = what === "ends" ? undefined : setInterval(() => {}, 1000);
if (what === "drains") {
  process.once("SIGTERM", () => {
    process.exitCode = 3;
    clearInterval(timer);
  });
}
// As most do when they have drained. Here that takes until the other signal.
if (what === "exits") process.once("SIGTERM", () => process.once("SIGUSR2", () => process.exit(4)));
if (what !== "ends") console.log("ready");
