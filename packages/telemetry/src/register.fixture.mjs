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
if (what !== "ends") console.log("ready");
