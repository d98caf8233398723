import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { background, run, withTimeout } from "@throughline/context";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { clientOf, serveEcho } from "./echo.fixture.ts";

const exporter = new InMemorySpanExporter();

describe("the spans of a call", () => {
  beforeEach(() => {
    exporter.reset();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  });
  afterEach(() => {
    for (const api of [context, propagation, trace]) api.disable();
  });

  async function spans(): Promise<{ client: ReadableSpan; server: ReadableSpan }> {
    await vi.waitUntil(() => exporter.getFinishedSpans().length === 2);
    const all = exporter.getFinishedSpans();
    return {
      client: all.find(({ kind }) => kind === SpanKind.CLIENT)!,
      server: all.find(({ kind }) => kind === SpanKind.SERVER)!,
    };
  }

  it("record its procedure, budget and code in one trace", async () => {
    await using served = await serveEcho({ Unary: (_call, callback) => callback(null, "answer") });
    using calls = clientOf(served.address);
    await run(withTimeout(background, 2000)[0], () => calls.unary("question"));
    const { client, server } = await spans();

    expect([client.name, server.name]).toEqual(["test.Echo/Unary", "test.Echo/Unary"]);
    expect(server.parentSpanContext?.spanId).toBe(client.spanContext().spanId);
    for (const { attributes, status } of [client, server]) {
      expect(attributes).toMatchObject({
        "rpc.system.name": "grpc",
        "rpc.method": "test.Echo/Unary",
        "rpc.response.status_code": "OK",
        "throughline.ended_by": "response",
        "throughline.deadline.budget_ms": expect.any(Number),
      });
      expect(Object.keys(attributes).filter((name) => name.startsWith("http."))).toEqual([]);
      expect(status.code).toBe(SpanStatusCode.UNSET);
    }
  });

  it("record a deadline as an error on both sides", async () => {
    // The server's own limit. With a deadline of the caller, the caller's timer may fire first, and the server then
    // sees a disconnect.
    await using served = await serveEcho({ Unary: () => {} }, { maxTimeout: 60 });
    using calls = clientOf(served.address);
    await calls.unary("question").catch(() => {});
    for (const { attributes, status } of Object.values(await spans())) {
      expect(attributes).toMatchObject({ "throughline.ended_by": "deadline", "error.type": "DEADLINE_EXCEEDED" });
      expect(status.code).toBe(SpanStatusCode.ERROR);
    }
  });

  it("record an error that the caller caused as an error of the client only", async () => {
    const error = Object.assign(new Error("no such thing"), { code: 5 });
    await using served = await serveEcho({ Unary: (_call, callback) => callback(error) });
    using calls = clientOf(served.address);
    await calls.unary("question").catch(() => {});
    const { client, server } = await spans();
    expect(client.attributes).toMatchObject({ "rpc.response.status_code": "NOT_FOUND", "error.type": "NOT_FOUND" });
    expect([client.status.code, server.status.code]).toEqual([SpanStatusCode.ERROR, SpanStatusCode.UNSET]);
    expect(server.attributes).toMatchObject({ "rpc.response.status_code": "NOT_FOUND" });
  });
});
