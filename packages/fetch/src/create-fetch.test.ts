import { getEventListeners, once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";

import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { background, type Context, DeadlineExceeded, run, withCancel, withTimeout } from "@throughline/context";
import { connectTimeout, parseGrpcTimeout } from "@throughline/http";
import { afterEach, describe, expect, it, vi } from "vitest";

import { recordSpans } from "../../../test/support/spans.ts";
import { createFetch } from "./create-fetch.ts";

const fetch = createFetch();
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(listener: http.RequestListener): Promise<{ url: string; server: http.Server }> {
  const server = http.createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
}

/** Answers with the headers it was sent. */
const echo: http.RequestListener = (req, res) =>
  void res.setHeader("content-type", "application/json").end(JSON.stringify(req.headers));

async function headersSent(ctx: Context, init?: RequestInit, send = fetch): Promise<Record<string, string>> {
  const { url } = await serve(echo);
  const response = await run(ctx, () => send(url, init));
  return (await response.json()) as Record<string, string>;
}

describe("what is sent", () => {
  it("is the time that is left, less the margin, in whole milliseconds", async () => {
    const [ctx] = withTimeout(background, "2s");
    const headers = await headersSent(ctx, {}, createFetch({ margin: "500ms" }));

    const sent = parseGrpcTimeout(headers["grpc-timeout"]!)!;
    expect(sent).toBeLessThanOrEqual(1500);
    expect(sent).toBeGreaterThan(1300);
    expect(Number.isInteger(sent)).toBe(true);
  });

  it("is no deadline where there is none", async () => {
    expect(await headersSent(background)).not.toHaveProperty("grpc-timeout");
  });

  it("takes the place of a deadline header that the caller wrote", async () => {
    const [ctx] = withTimeout(background, "2s");
    const headers = await headersSent(ctx, { headers: { "GRPC-Timeout": "99H", "x-own": "kept" } });

    expect(headers["grpc-timeout"]).toMatch(/^\d{4}m$/);
    expect(headers["x-own"]).toBe("kept");
  });

  it("can be another dialect", async () => {
    const [ctx] = withTimeout(background, "2s");
    const headers = await headersSent(ctx, {}, createFetch({ dialect: connectTimeout }));

    expect(headers["connect-timeout-ms"]).toMatch(/^\d{4}$/);
    expect(headers).not.toHaveProperty("grpc-timeout");
  });

  it("is a Request's own method, headers and body", async () => {
    const { url } = await serve(async (req, res) => {
      let body = "";
      for await (const chunk of req) body += chunk;
      res.end(JSON.stringify([req.method, req.headers["x-own"], body]));
    });
    const response = await fetch(new Request(url, { method: "PUT", body: "hello", headers: { "x-own": "kept" } }));

    expect(await response.json()).toEqual(["PUT", "kept", "hello"]);
  });
});

describe("what a call is made of", () => {
  const method: http.RequestListener = async (req, res) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    res.end(`${req.method} ${body} ${req.headers["x-own"] ?? "-"}`);
  };

  it("may be a Request in the place of the options, as a proxy has it", async () => {
    const { url } = await serve(method);
    const incoming = new Request("http://outside.example/", {
      method: "POST",
      body: "payload",
      headers: { "x-own": "kept" },
    });
    expect(await (await fetch(url, incoming)).text()).toBe("POST payload kept");
  });

  it("may be a Request of another implementation, or a URL", async () => {
    const { url } = await serve(method);
    const seen: string[] = [];
    const other = createFetch({
      fetch: async (input) => (seen.push((input as Request).url), new Response("other")),
    });
    await other({ url, headers: new Headers(), method: "GET" } as Request);
    expect(seen).toEqual([url]);
    expect(await (await fetch(new URL(url))).text()).toBe("GET  -");
  });

  it("may be a body that is streamed", async () => {
    const { url } = await serve(method);
    const body = new Blob(["streamed"]).stream();
    expect(await (await fetch(url, { method: "PUT", body, duplex: "half" } as RequestInit)).text()).toBe(
      "PUT streamed -",
    );
  });
});

describe("a body that nobody reads", () => {
  it("is over when the context is: no listener is left on a signal of the caller's", async () => {
    const { url } = await serve((_req, res) => void res.writeHead(500).end("details"));
    const { signal } = new AbortController();
    const [ctx, cancel] = withCancel(background);
    const response = await run(ctx, () => fetch(url, { signal }));
    cancel();
    await null;
    await null;

    expect(response.status).toBe(500);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("is over when it has been collected", { timeout: 30_000 }, async () => {
    const { url, server } = await serve((_req, res) => void res.writeHead(500).end("x".repeat(100_000)));
    const { signal } = new AbortController();
    for (let i = 0; i < 20; i++) expect((await fetch(url, { signal })).status).toBe(500);
    await vi.waitUntil(() => (globalThis.gc!(), getEventListeners(signal, "abort").length === 0), { timeout: 20_000 });
    const connections = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
    await vi.waitUntil(async () => (await connections()) <= 1, { timeout: 10_000 });
  });
});

describe("a context that ends", () => {
  it("keeps the call from being dialled when it has ended before", async () => {
    const { url, server } = await serve(echo);
    const [ctx, cancel] = withCancel(background);
    cancel();
    const connected = vi.fn();
    server.on("connection", connected);

    await expect(run(ctx, () => fetch(url))).rejects.toBe(ctx.err());
    expect(connected).not.toHaveBeenCalled();
  });

  it("keeps the call from being dialled when less than a millisecond would be left", async () => {
    const { url, server } = await serve(echo);
    const connected = vi.fn();
    server.on("connection", connected);
    const [ctx] = withTimeout(background, 40);

    const error = await run(ctx, () => createFetch({ margin: 40 })(url)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect((error as Error).message).toMatch(/ms left, less a margin of 40 ms, are too little to call/);
    expect(connected).not.toHaveBeenCalled();
  });

  it("rejects with its own error object while the call connects", async () => {
    // Takes connections and never says a word, so that TLS waits.
    const sockets: net.Socket[] = [];
    const silent = net.createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    await once(silent, "listening");
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => silent.close(resolve));
    });
    const [ctx] = withTimeout(background, 30);

    const error = await run(ctx, () => fetch(`https://127.0.0.1:${(silent.address() as AddressInfo).port}/`)).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect(error).toBe(ctx.err());
  });

  it("rejects with its own error object while the call waits, and the server sees its client leave", async () => {
    const left = Promise.withResolvers<void>();
    const { url } = await serve((_req, res) => res.once("close", left.resolve));
    const [ctx, cancel] = withCancel(background);
    const call = run(ctx, () => fetch(url)).catch((error: unknown) => error);
    setTimeout(() => cancel(new Error("enough")), 20);

    expect(await call).toBe(ctx.err());
    await left.promise;
  });

  it("rejects with its own error object while the body is read", async () => {
    const { url } = await serve((_req, res) => void res.write("begin"));
    const [ctx, cancel] = withCancel(background);
    const response = await run(ctx, () => fetch(url));
    setTimeout(cancel, 20);

    const error = await response.text().catch((e: unknown) => e);
    expect(error).toBe(ctx.err());
  });
});

describe("a call's own signal", () => {
  it("rejects with its own reason", async () => {
    const { url } = await serve(() => {});
    const controller = new AbortController();
    const reason = new Error("mine");
    setTimeout(() => controller.abort(reason), 20);

    await expect(fetch(url, { signal: controller.signal })).rejects.toBe(reason);
  });

  it("is left without a listener when the call is over", async () => {
    const { url } = await serve(echo);
    const { signal } = new AbortController();
    const remove = vi.spyOn(signal, "removeEventListener");
    const add = vi.spyOn(signal, "addEventListener");
    await (await fetch(url, { signal })).text();

    expect(add).toHaveBeenCalledOnce();
    expect(remove).toHaveBeenCalledOnce();
  });
});

describe("the response", () => {
  it("is as the wrapped fetch gives it", async () => {
    const { url } = await serve((req, res) =>
      req.url === "/"
        ? res.writeHead(302, { location: "/there" }).end()
        : res.writeHead(201, "Made", { "x-a": "1" }).end("body"),
    );
    const response = await fetch(url);

    expect(response).toBeInstanceOf(Response);
    expect(response).toMatchObject({
      url: `${url}there`,
      redirected: true,
      status: 201,
      statusText: "Made",
      type: "basic",
    });
    expect(response.headers.get("x-a")).toBe("1");
    const copy = response.clone();
    expect(copy.url).toBe(`${url}there`);
    expect([await copy.text(), await response.text()]).toEqual(["body", "body"]);
  });

  it("may have a status that the standard does not know", async () => {
    const { url } = await serve((_req, res) => void res.writeHead(999).end("odd"));
    const response = await fetch(url);
    expect([response.status, response.ok, await response.text()]).toEqual([999, false, "odd"]);
  });

  it("arrives as it is sent", async () => {
    const more = Promise.withResolvers<void>();
    const { url } = await serve(async (_req, res) => {
      res.write("one");
      await more.promise;
      res.end("two");
    });
    const chunks: string[] = [];
    for await (const chunk of (await fetch(url)).body!.pipeThrough(new TextDecoderStream())) {
      chunks.push(chunk);
      more.resolve();
    }

    expect(chunks).toEqual(["one", "two"]);
  });

  it("can be read into the reader's own buffer", async () => {
    const { url } = await serve((_req, res) => void res.end("bytes"));
    const reader = (await fetch(url)).body!.getReader({ mode: "byob" });

    expect(Buffer.from((await reader.read(new Uint8Array(10))).value!).toString()).toBe("bytes");
    expect((await reader.read(new Uint8Array(10))).done).toBe(true);
  });
});

describe("with an SDK", () => {
  const spans = recordSpans();

  it("a call has one CLIENT span, which the next service's trace header names", async () => {
    const headers = await headersSent(background);

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

  it("the span is a child of the one in the context", async () => {
    const parent = trace.getTracer("test").startSpan("parent");
    await headersSent(trace.setSpan(background, parent) as Context);

    const [span] = await spans.take(1);
    expect(span!.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
  });

  it("the span ends with the body, not with the head", async () => {
    const { url } = await serve((_req, res) => void res.end("body"));
    const response = await fetch(url);
    expect(spans.ended()).toEqual([]);
    await response.text();

    expect(await spans.take(1)).toHaveLength(1);
  });

  it.each([
    [
      "a deadline is an error",
      (): [Context, () => void] => [withTimeout(background, 30)[0], () => {}],
      "deadline",
      SpanStatusCode.ERROR,
      "DEADLINE_EXCEEDED",
    ],
    [
      "a cancellation is none",
      (): [Context, () => void] => withCancel(background),
      "cancel",
      SpanStatusCode.UNSET,
      undefined,
    ],
  ] as const)("%s", async (_name, derive, endedBy, status, errorType) => {
    const { url } = await serve(() => {});
    const [ctx, cancel] = derive();
    setTimeout(cancel, 20);
    await expect(run(ctx, () => fetch(url))).rejects.toThrow();

    const [span] = await spans.take(1);
    expect(span!.attributes["throughline.ended_by"]).toBe(endedBy);
    expect(span!.attributes["error.type"]).toBe(errorType);
    expect(span!.status.code).toBe(status);
  });

  it.each([new Error("enough"), "text", undefined])(
    "a call that the caller gives up is none, whatever his reason: %s",
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

  it("a connection that is refused is an error by its code", async () => {
    const { url, server } = await serve(echo);
    await new Promise((resolve) => server.close(resolve));
    await expect(fetch(url)).rejects.toThrow("fetch failed");

    const [span] = await spans.take(1);
    expect(span!.attributes).toMatchObject({ "error.type": "ECONNREFUSED", "throughline.ended_by": "error" });
  });
});

it.each([
  [{ margin: -1 }, RangeError, /'margin' must be zero or more milliseconds/],
  [{ dialect: "grpc-timeout" }, TypeError, /'dialect' must be a deadline dialect/],
  [{ fetch: "fetch" }, TypeError, /'fetch' must be a function: current value is string "fetch"/],
  [{ retries: 3 }, TypeError, /there is no option 'retries'/],
])("refuses %j when the fetch is made", (options, type, message) => {
  expect(() => createFetch(options as never)).toThrow(type);
  expect(() => createFetch(options as never)).toThrow(message);
});
