import { context, trace } from "@opentelemetry/api";
import { background, current, run, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";
import { afterEach, expect, it } from "vitest";

import { runWithClock } from "./clock.ts";
import { inContext } from "./in-context.ts";
import { assertEndedBy } from "./outcome.ts";
import { peer } from "./peer.ts";
import { type RecordedSpans, recordSpans } from "./spans.ts";

let spans: RecordedSpans | undefined;
afterEach(() => spans?.stop());

it("records the spans of a call on both sides, in one trace", () =>
  runWithClock((clock) =>
    inContext({ timeout: "2s" }, async () => {
      spans = recordSpans();
      const stock = peer("http://stock.internal", async () => {
        await sleep(current(), "3s");
        return new Response();
      });
      const found = createFetch({ fetch: stock.fetch })("http://stock.internal/items");
      await clock.advance("2s");
      await found;

      const [client, server] = spans.all;
      expect([spans.client, spans.server]).toEqual([[client], [server]]);
      expect(spans.named("GET")).toEqual([client, server]);
      expect([client!.traceId, client!.spanId]).toEqual([server!.traceId, server!.parentSpanId]);
      expect([client!.budget, server!.budget]).toEqual([2000, 1999]);
      expect([server!.endedBy, server!.source, server!.hasEnded]).toEqual(["deadline", "grpc-timeout header", true]);
      expect([client!.endedBy, client!.duration, server!.duration]).toEqual(["response", 1999, 1999]);
      await assertEndedBy(server, "deadline");
    }),
  ));

it("records the application's own spans, under the active one", () => {
  spans = recordSpans();
  const tracer = trace.getTracer("app");
  const seen = tracer.startActiveSpan("outer", (outer) => {
    const inner = tracer.startSpan("inner", { attributes: { a: 1 } });
    inner.recordException(new Error("x"));
    inner.end();
    inner.setAttribute("late", true);
    outer.updateName("renamed").end();
    return trace.getSpan(context.active());
  });
  const [outer, inner] = spans.all;
  expect([outer!.name, inner!.name, seen]).toEqual(["renamed", "inner", outer]);
  expect([inner!.parentSpanId, inner!.traceId]).toEqual([outer!.spanId, outer!.traceId]);
  expect(inner!.attributes).toEqual({ a: 1 });
  expect(inner!.events).toEqual([{ name: "exception", attributes: { "exception.message": "x" } }]);
  spans.clear();
  expect(spans.all).toEqual([]);
});

it("keeps the current context across await", async () => {
  spans = recordSpans();
  const [ctx, cancel] = withTimeout(background, "5s");
  await run(ctx, async () => {
    await new Promise(setImmediate);
    expect(current()).toBe(ctx);
  });
  cancel();
});

it("stops, and can be started again; two at once are refused", () => {
  spans = recordSpans();
  expect(() => recordSpans()).toThrow("a tracer provider is registered already");
  spans.stop();
  spans.stop();
  trace.getTracer("app").startSpan("unseen").end();
  expect(spans.all).toEqual([]);
  spans = recordSpans();
  trace.getTracer("app").startSpan("seen").end();
  expect(spans.named("seen")).toHaveLength(1);
});
