import type http from "node:http";

import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import { background, type Context, DeadlineExceeded, run, withCancel, withTimeout } from "@throughline/context";
import { callsOf, withCriticality } from "@throughline/http";
import { parseGrpcTimeout } from "@throughline/http/adapter";
import { describe, expect, it, vi } from "vitest";

import { atEnd, cleanUpAfterEach, echo, serve, silentServer } from "../support/loopback.ts";
import { measureDuringEach } from "../support/measurements.ts";
import { recordSpans } from "../support/spans.ts";
import { clients } from "./clients/index.ts";

cleanUpAfterEach();

describe.each(clients)("$name", (client) => {
  const call = (...[url, init]: Parameters<ReturnType<typeof client.make>>) => client.make({}, atEnd)(url, init);

  async function sentUnder(ctx: Context, options = {}): Promise<Record<string, string>> {
    const { url } = await serve(echo);
    const response = await run(ctx, () => client.make(options, atEnd)(url, { headers: { "x-own": "kept" } }));
    return JSON.parse(await response.text()) as Record<string, string>;
  }

  /** A server that never responds, or that only begins its response. */
  async function stalling(begin?: (res: http.ServerResponse) => void) {
    const [arrived, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { url } = await serve((_req, res) => {
      res.once("close", left.resolve);
      begin?.(res);
      arrived.resolve();
    });
    return { url, arrived: arrived.promise, left: left.promise };
  }

  it("sends the remaining time less the margin, and keeps the headers of the call", async () => {
    const headers = await sentUnder(withTimeout(background, "2s")[0], { margin: "500ms" });

    const sent = parseGrpcTimeout(headers["grpc-timeout"]!)!;
    expect(sent).toBeLessThanOrEqual(1500);
    expect(sent).toBeGreaterThan(1000);
    expect(headers["x-own"]).toBe("kept");
  });

  it("sends no deadline without one, and the criticality only if it is not the default", async () => {
    expect(await sentUnder(background)).not.toHaveProperty("grpc-timeout");
    expect(await sentUnder(background)).not.toHaveProperty("throughline-criticality");
    expect((await sentUnder(withCriticality(background, "sheddable")))["throughline-criticality"]).toBe("sheddable");
  });

  it("does not connect if the context has ended or too little time is left", async () => {
    const { url, server } = await serve(echo);
    const connected = vi.fn();
    server.on("connection", connected);
    const [ctx, cancel] = withCancel(background);
    cancel();
    await expect(run(ctx, () => call(url))).rejects.toBe(ctx.err());
    const late = run(withTimeout(background, "1s")[0], () => client.make({ margin: "1s" }, atEnd)(url));
    await expect(late).rejects.toThrow(/are too little to call/);
    expect(connected).not.toHaveBeenCalled();
  });

  it("ends with its context while connecting", async () => {
    const url = await silentServer();
    const [ctx] = withTimeout(background, 50);

    const error: unknown = await run(ctx, () => call(url)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect(error).toBe(ctx.err());
  });

  it("ends with its context while waiting, and the server sees the disconnect", async () => {
    const { url, arrived, left } = await stalling();
    const [ctx, cancel] = withCancel(background);
    const calling = run(ctx, () => call(url)).catch((error: unknown) => error);
    await arrived;
    cancel(new Error("enough"));

    expect(await calling).toBe(ctx.err());
    await left;
    expect(callsOf(ctx.err())).toMatchObject([{ method: "GET", url, attempt: 1 }]);
  });

  it("ends with its context while its body is read, and the server sees the disconnect", async () => {
    const { url, left } = await stalling((res) => void res.write("begun"));
    const [ctx, cancel] = withCancel(background);
    const response = await run(ctx, () => call(url));
    const reading = response.text();
    reading.catch(() => {});
    cancel(new Error("enough"));

    await expect(reading).rejects.toThrow();
    await left;
    await vi.waitUntil(() => callsOf(ctx.err()).length === 1);
    expect(callsOf(ctx.err())).toMatchObject([{ url, phase: "body" }]);
  });

  it("ends at its own timeout, with an error that differs from the deadline's", async () => {
    const { url } = await stalling();
    const [ctx] = withTimeout(background, "10s", { source: "the caller" });
    const error: unknown = await run(ctx, () => client.make({ timeout: 40 }, atEnd)(url)).catch((e: unknown) => e);

    expect(error).toMatchObject({ name: "TimeoutError", source: "timeout", budget: 40 });
    expect(ctx.err()).toBeUndefined();
  });

  it("sends no deadline with the traffic of telemetry", async () => {
    const [ctx] = withTimeout(background, "2s");
    expect(await sentUnder(suppressTracing(ctx) as Context)).not.toHaveProperty("grpc-timeout");
  });

  it("leaves no listener, timer or link behind", async () => {
    const { url } = await serve(echo);
    const [ctx, cancel] = withTimeout(background, "1h");
    const calling = client.make({}, atEnd);
    for (let index = 0; index < 20; index++) await (await run(ctx, () => calling(url))).text();

    await vi.waitUntil(() => (ctx as unknown as { scope: { listeners: unknown } }).scope.listeners === undefined);
    cancel();
  });

  describe("with metrics", () => {
    const series = measureDuringEach();

    it("records http.client.request.duration with the attributes of the semantic conventions", async () => {
      const { url } = await serve(echo);
      await (await call(url)).text();
      await vi.waitUntil(async () => (await series("http.client.request.duration")).length > 0);

      expect((await series("http.client.request.duration")).map(({ attributes }) => attributes)).toEqual([
        {
          "http.request.method": "GET",
          "http.response.status_code": 200,
          "server.address": "127.0.0.1",
          "server.port": Number(new URL(url).port),
        },
      ]);
    });
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("has one CLIENT span, a child of the context's span, and sends its id", async () => {
      const parent = trace.getTracer("test").startSpan("parent");
      const headers = await sentUnder(trace.setSpan(background, parent) as Context);

      const [span, ...others] = await spans.take(1);
      expect(others).toEqual([]);
      expect(span!.kind).toBe(SpanKind.CLIENT);
      expect(span!.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
      expect(headers["traceparent"]).toBe(`00-${span!.spanContext().traceId}-${span!.spanContext().spanId}-01`);
      expect(span!.attributes).toMatchObject({
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "throughline.ended_by": "response",
      });
    });

    it("records a deadline as an error of its span, and a cancellation not as an error", async () => {
      const { url, arrived } = await stalling();
      const [limited] = withTimeout(background, 60);
      await run(limited, () => call(url)).catch(() => {});
      const [ctx, cancel] = withCancel(background);
      const calling = run(ctx, () => call(url)).catch(() => {});
      void arrived.then(() => setTimeout(cancel, 20));
      await calling;

      const [late, given] = await spans.take(2);
      expect([late!.status.code, late!.attributes["error.type"]]).toEqual([SpanStatusCode.ERROR, "DEADLINE_EXCEEDED"]);
      expect([given!.status.code, given!.attributes["error.type"]]).toEqual([SpanStatusCode.UNSET, undefined]);
      expect([late!, given!].map(({ attributes }) => attributes["throughline.ended_by"])).toEqual([
        "deadline",
        "cancel",
      ]);
    });

    it("records a refused connection as an error with its code", async () => {
      const { url, server } = await serve(echo);
      await new Promise((resolve) => server.close(resolve));
      await expect(call(url)).rejects.toThrow();

      const [span] = await spans.take(1);
      expect(span!.attributes).toMatchObject({ "error.type": "ECONNREFUSED", "throughline.ended_by": "error" });
    });
  });
});
