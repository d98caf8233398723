// Contexts with the older OpenTelemetry (API 1.9, SDK 2), and with an API copy that the SDK does not know.
import assert from "node:assert/strict";

import { context, createContextKey, metrics, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import * as same from "@throughline/context";
import { recordMetrics } from "@throughline/testing/metrics";
import * as mismatched from "throughline-context-with-another-api";

let passed = 0;
async function test(name, body) {
  await body();
  passed += 1;
  console.log(`ok - ${name}`);
}

const key = same.createKey("key");
const later = () => new Promise((resolve) => setTimeout(resolve, 1));

for (const [line, use] of [
  ["no manager", () => {}],
  ["the manager of SDK 2", () => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())],
]) {
  use();
  await test(`${line}: run carries the context`, async () => {
    const ctx = same.withValue(same.background, key, line);
    await same.run(ctx, async () => {
      await later();
      assert.equal(same.current().value(key), line);
    });
    assert.equal(same.current(), same.background);
  });
  await test(`${line}: a copy of the package whose API the SDK does not know carries the context too`, async () => {
    const [ctx, cancel] = mismatched.withCancel(same.withValue(same.background, key, line));
    await mismatched.run(ctx, async () => {
      await later();
      assert.equal(mismatched.current().value(key), line);
      cancel();
      assert.equal(mismatched.current().err().code, "ABORT_ERR");
    });
  });
}

await test("SDK 2: the context of a span keeps the deadline, and the span its parent", async () => {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  const tracer = trace.getTracer("test");
  const [ctx, cancel] = same.withTimeout(same.background, "1h");
  await same.run(ctx, () =>
    tracer.startActiveSpan("outer", { kind: SpanKind.SERVER }, async (outer) => {
      await later();
      assert.ok(same.current().remaining() < Infinity);
      tracer.startActiveSpan("inner", (inner) => inner.end());
      outer.end();
    }),
  );
  cancel();
  const [inner, outer] = exporter.getFinishedSpans();
  assert.equal(inner.parentSpanContext.spanId, outer.spanContext().spanId);
});

await test("SDK 2: a context of OpenTelemetry can be a parent", () => {
  const symbol = createContextKey("foreign");
  const [ctx] = same.withCancel(ROOT_CONTEXT.setValue(symbol, 1));
  assert.equal(ctx.getValue(symbol), 1);
  context.with(ROOT_CONTEXT.setValue(symbol, 2), () => assert.equal(same.current().getValue(symbol), 2));
});

await test("SDK 2: the testing kit records metrics", async () => {
  const recorded = recordMetrics();
  const meter = metrics.getMeter("test");
  meter.createCounter("orders").add(2, { shop: "a" });
  meter.createHistogram("weight").record(3);
  assert.equal(await recorded.total("orders", { shop: "a" }), 2);
  assert.equal(await recorded.total("weight"), 1);
  recorded.stop();
});

console.log(`${passed} passed, 0 failed`);
