// `startTelemetry` with the SDK 2 that a service has installed.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";

import { trace } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { background, run, withTimeout } from "@throughline/context";
import { DeadlineSpanProcessor, startTelemetry } from "@throughline/telemetry";

const bodies = [];
const server = http.createServer(async (req, res) => {
  bodies.push(JSON.parse((await req.setEncoding("utf8").toArray()).join("")));
  res.setHeader("content-type", "application/json").end("{}");
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

Object.assign(process.env, { OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" });
const endpoint = `http://127.0.0.1:${server.address().port}`;
const telemetry = startTelemetry({
  serviceName: "shop",
  protocol: "http/json",
  endpoint,
  resourceAttributes: { team: "a, b" },
});
run(withTimeout(background, "1h")[0], () => trace.getTracer("test").startSpan("one").end());
await telemetry.shutdown();
server.close();

const [{ resourceSpans }] = bodies;
const [{ resource, scopeSpans }] = resourceSpans;
const valueOf = (attributes, name) => attributes.find(({ key }) => key === name)?.value;
assert.deepEqual(valueOf(resource.attributes, "service.name"), { stringValue: "shop" });
assert.deepEqual(valueOf(resource.attributes, "team"), { stringValue: "a, b" });
const left = Number(valueOf(scopeSpans[0].spans[0].attributes, "throughline.deadline.budget_ms").intValue);
assert.ok(left > 3_590_000 && left <= 3_600_000, `${left} ms are left`);
console.log("ok - SDK 2: startTelemetry exports spans with their deadlines");

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({
  spanProcessors: [new DeadlineSpanProcessor(), new SimpleSpanProcessor(exporter)],
});
const [ctx, cancel] = withTimeout(background, "1h");
const span = provider.getTracer("test").startSpan("one", {}, ctx);
cancel();
span.end();
assert.equal(exporter.getFinishedSpans()[0].attributes["throughline.ended_by"], "cancel");
console.log("ok - SDK 2: the processor records what ended the context");
