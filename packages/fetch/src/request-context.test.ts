import { context, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { background, type Context, current, DeadlineExceeded, run, withTimeout } from "@throughline/context";
import { ClientDisconnected, ResponseSent } from "@throughline/http";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { describe, expect, it, vi } from "vitest";

import { answerError } from "./answer-error.ts";
import { createFetch } from "./create-fetch.ts";
import { requestContext } from "./request-context.ts";

const URL_ = "http://shop.example/items";

it("passes all arguments of the host to the handler", async () => {
  const handler = requestContext((_request: Request, env: { name: string }) => new Response(env.name));
  expect(await (await handler(new Request(URL_), { name: "env" })).text()).toBe("env");
});

it("ends the context when the body has been read, not when the handler returns", async () => {
  let ctx: Context = background;
  const handler = requestContext(() => {
    ctx = current();
    return new Response("body");
  });
  const response = await handler(new Request(URL_));

  expect(ctx.err()).toBeUndefined();
  await response.text();
  expect(ctx.cause()).toBeInstanceOf(ResponseSent);
});

it("ends the context when the reader cancels the body", async () => {
  let ctx: Context = background;
  const handler = requestContext(() => {
    ctx = current();
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1)) }));
  });
  await (await handler(new Request(URL_))).body!.cancel();

  expect(ctx.cause()).toBeInstanceOf(ClientDisconnected);
});

it("ends the context when the request's signal aborts or has already aborted", async () => {
  const contexts: Context[] = [];
  const handler = requestContext(() => {
    contexts.push(current());
    return new Promise<Response>(() => {});
  });
  const controller = new AbortController();
  void handler(new Request(URL_, { signal: controller.signal }));
  controller.abort();
  void handler(new Request(URL_, { signal: AbortSignal.abort() }));

  expect(contexts.map((ctx) => ctx.cause())).toEqual([expect.any(ClientDisconnected), expect.any(ClientDisconnected)]);
});

it("keeps the status and the headers of a response without a body", async () => {
  const handler = requestContext(() => new Response(null, { status: 204, headers: { "x-a": "1" } }));
  const response = await handler(new Request(URL_));

  expect([response.status, response.headers.get("x-a"), response.body]).toEqual([204, "1", null]);
});

it("can be called by a createFetch of the same process without a socket", async () => {
  const handler = requestContext(() => new Response(String(current().remaining() <= 900)));
  const fetch = createFetch({
    margin: 100,
    fetch: (input, init) => Promise.resolve(handler(new Request(input, init))),
  });

  expect(await (await run(withTimeout(background, "1s")[0], () => fetch(URL_))).text()).toBe("true");
});

it("nested for the same request can shorten the deadline but not extend it", async () => {
  const left: number[] = [];
  const inner = (maxTimeout: "1s" | "9s"): typeof handler =>
    requestContext(() => new Response(String(left.push(current().remaining()))), { maxTimeout });
  const handler = requestContext(() => new Response());
  for (const maxTimeout of ["1s", "9s"] as const) {
    await requestContext((request) => inner(maxTimeout)(request), { maxTimeout: "2s" })(new Request(URL_));
  }

  expect(left[0]).toBeLessThanOrEqual(1000);
  expect(left[1]).toBeGreaterThan(1000);
  expect(left[1]).toBeLessThanOrEqual(2000);
});

it("answerError returns the response to an error of this library", async () => {
  const response = answerError(new Error("the query failed", { cause: new DeadlineExceeded() }))!;
  expect([response.status, ((await response.json()) as { title: string }).title]).toEqual([504, "Deadline exceeded"]);
  expect(answerError(new Error("a bug"))).toBeUndefined();
});

describe("the body", () => {
  async function bodyOf(
    source: NonNullable<ConstructorParameters<typeof ReadableStream<Uint8Array>>[0]>,
  ): Promise<string> {
    return (await requestContext(() => new Response(new ReadableStream(source)))(new Request(URL_))).text();
  }

  it("may have empty chunks, chunks of Buffer's pool, and repeated chunks", async () => {
    const same = new TextEncoder().encode("tick ");
    const chunks = [new Uint8Array(0), Buffer.from("pooled "), same, same];
    const text = await bodyOf({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    });

    expect(text).toBe("pooled tick tick ");
    expect(same.byteLength).toBe(5);
  });

  it("that fails rejects its reader with the same error", async () => {
    const error = new Error("the disk failed");
    await expect(bodyOf({ pull: (controller) => controller.error(error) })).rejects.toBe(error);
  });

  it("is canceled at its source when its reader cancels it", async () => {
    const cancel = vi.fn();
    const response = await requestContext(() => new Response(new ReadableStream({ cancel })))(new Request(URL_));
    await response.body!.cancel("enough");
    expect(cancel).toHaveBeenCalledWith("enough");
  });
});

describe("with an SDK", () => {
  const spans = recordSpans();

  it("a handler that is called in the same process has its own span, below that of the call", async () => {
    const inner = requestContext(() => new Response("inner"));
    const fetch = createFetch({ fetch: (input, init) => inner(new Request(input, init)) });
    const outer = requestContext(async () => new Response(await (await fetch("http://inner.example/")).text()));
    await (await outer(new Request(URL_))).text();

    const ended = await spans.take(3);
    const [innermost, outermost] = ["inner.example", "shop.example"].map((address) =>
      ended.find(({ kind, attributes }) => kind === SpanKind.SERVER && attributes["server.address"] === address),
    );
    const call = ended.find(({ kind }) => kind === SpanKind.CLIENT);
    expect(innermost!.parentSpanContext?.spanId).toBe(call!.spanContext().spanId);
    expect(call!.parentSpanContext?.spanId).toBe(outermost!.spanContext().spanId);
  });

  it("a handler that is called in a context with only the span has its own span", async () => {
    const inner = requestContext(() => new Response("inner"));
    const outer = requestContext(() => {
      const spanOnly = trace.setSpan(ROOT_CONTEXT, trace.getSpan(current())!);
      return context.with(spanOnly, () => inner(new Request("http://inner.example/")));
    });
    await (await outer(new Request(URL_))).text();
    const addresses = (await spans.take(2)).map(({ attributes }) => attributes["server.address"]);
    expect(new Set(addresses)).toEqual(new Set(["inner.example", "shop.example"]));
  });

  it.each([
    [
      "an error",
      new Error("the disk failed"),
      { "throughline.ended_by": "error", "error.type": "Error", "http.response.status_code": 200 },
    ],
    [
      "a deadline",
      new DeadlineExceeded(),
      { "throughline.ended_by": "deadline", "error.type": "DEADLINE_EXCEEDED", "http.response.status_code": 200 },
    ],
  ])("a body that fails with %s keeps the status that was sent", async (_what, error, attributes) => {
    const handler = requestContext(
      () => new Response(new ReadableStream({ pull: (controller) => controller.error(error) })),
    );
    await (await handler(new Request(URL_))).text().catch(() => {});

    const [span] = await spans.take(1);
    expect(span!.attributes).toMatchObject(attributes);
  });

  it("the span of a handler that throws has no status, as the host answers", async () => {
    const handler = requestContext(() => Promise.reject(new RangeError("a bug")));
    await handler(new Request(URL_)).catch(() => {});

    const [span] = await spans.take(1);
    expect(span!.attributes).toMatchObject({ "throughline.ended_by": "error", "error.type": "RangeError" });
    expect(span!.attributes).not.toHaveProperty("http.response.status_code");
  });
});
