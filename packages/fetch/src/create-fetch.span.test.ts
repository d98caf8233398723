import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { background, type Context, run, withCancel, withTimeout } from "@throughline/context";
import { cleanUpAfterEach, echo, headersSentBy, serve } from "@throughline/test/support/loopback.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { describe, expect, it } from "vitest";

import { createFetch } from "./create-fetch.ts";

const fetch = createFetch();
cleanUpAfterEach();

describe("with an SDK", () => {
  const spans = recordSpans();

  it("a call has one CLIENT span, and sends its id in traceparent", async () => {
    const headers = await headersSentBy(fetch, background);

    const [span] = await spans.take(1);
    expect(span!.kind).toBe(SpanKind.CLIENT);
    expect(headers["traceparent"]).toBe(`00-${span!.spanContext().traceId}-${span!.spanContext().spanId}-01`);
    expect(span!.attributes).toMatchObject({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "server.address": "127.0.0.1",
      "throughline.ended_by": "response",
    });
  });

  it("the span is a child of the span in the context", async () => {
    const parent = trace.getTracer("test").startSpan("parent");
    await headersSentBy(fetch, trace.setSpan(background, parent) as Context);

    const [span] = await spans.take(1);
    expect(span!.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
  });

  it("the span ends with the body, not with the response head", async () => {
    const finish = Promise.withResolvers<void>();
    const { url } = await serve(async (_req, res) => {
      res.write("be");
      await finish.promise;
      res.end("gun");
    });
    const response = await fetch(url);
    expect(spans.ended()).toEqual([]);
    finish.resolve();
    await response.text();

    expect(await spans.take(1)).toHaveLength(1);
  });

  it.each([
    [
      "a deadline is an error",
      (): [Context, () => void] => [withTimeout(background, 30, { source: "stock budget" })[0], () => {}],
      "deadline",
      SpanStatusCode.ERROR,
      "DEADLINE_EXCEEDED",
      "stock budget",
    ],
    [
      "a cancellation is not an error",
      (): [Context, () => void] => withCancel(background),
      "cancel",
      SpanStatusCode.UNSET,
      undefined,
      undefined,
    ],
  ] as const)("%s", async (_name, derive, endedBy, status, errorType, source) => {
    const { url } = await serve(() => {});
    const [ctx, cancel] = derive();
    setTimeout(cancel, 20);
    await expect(run(ctx, () => fetch(url))).rejects.toThrow();

    const [span] = await spans.take(1);
    expect(span!.attributes["throughline.ended_by"]).toBe(endedBy);
    expect(span!.attributes["error.type"]).toBe(errorType);
    expect(span!.attributes["throughline.deadline.source"]).toBe(source);
    expect(span!.status.code).toBe(status);
  });

  it.each([new Error("enough"), "text", undefined])(
    "the abort of the caller's signal is not an error, with the reason %s",
    async (reason) => {
      const { url } = await serve(() => {});
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 20);
      await fetch(url, { signal: controller.signal }).catch(() => {});

      const [span] = await spans.take(1);
      expect(span!.attributes["throughline.ended_by"]).toBe("cancel");
      expect(span!.status.code).toBe(SpanStatusCode.UNSET);
    },
  );

  it("a refused connection is an error, with its code as error.type", async () => {
    const { url, server } = await serve(echo);
    await new Promise((resolve) => server.close(resolve));
    await expect(fetch(url)).rejects.toThrow("fetch failed");

    const [span] = await spans.take(1);
    expect(span!.attributes).toMatchObject({ "error.type": "ECONNREFUSED", "throughline.ended_by": "error" });
  });
});
