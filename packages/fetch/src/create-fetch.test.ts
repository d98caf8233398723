import type http from "node:http";

import { background, withTimeout } from "@throughline/context";
import { connectTimeout } from "@throughline/http";
import { parseGrpcTimeout } from "@throughline/http/adapter";
import { cleanUpAfterEach, headersSentBy, serve } from "@throughline/test/support/loopback.ts";
import { describe, expect, it } from "vitest";

import { createFetch } from "./create-fetch.ts";

const fetch = createFetch();
cleanUpAfterEach();

describe("the request", () => {
  it("has the remaining time less the margin, in whole milliseconds", async () => {
    const [ctx] = withTimeout(background, "2s");
    const headers = await headersSentBy(createFetch({ margin: "500ms" }), ctx);

    const sent = parseGrpcTimeout(headers["grpc-timeout"]!)!;
    expect(sent).toBeLessThanOrEqual(1500);
    expect(sent).toBeGreaterThan(1300);
    expect(Number.isInteger(sent)).toBe(true);
  });

  it("has no deadline header if the context has no deadline", async () => {
    expect(await headersSentBy(fetch, background)).not.toHaveProperty("grpc-timeout");
  });

  it("has the context's deadline in place of one that the caller set", async () => {
    const [ctx] = withTimeout(background, "2s");
    const headers = await headersSentBy(fetch, ctx, { headers: { "GRPC-Timeout": "99H", "x-own": "kept" } });

    expect(headers["grpc-timeout"]).toMatch(/^\d{4}m$/);
    expect(headers["x-own"]).toBe("kept");
  });

  it("can have its deadline in another dialect", async () => {
    const [ctx] = withTimeout(background, "2s");
    const headers = await headersSentBy(createFetch({ dialect: connectTimeout }), ctx);

    expect(headers["connect-timeout-ms"]).toMatch(/^\d{4}$/);
    expect(headers).not.toHaveProperty("grpc-timeout");
  });

  it("has the method, headers and body of a Request", async () => {
    const { url } = await serve(async (req, res) => {
      let body = "";
      for await (const chunk of req) body += chunk;
      res.end(JSON.stringify([req.method, req.headers["x-own"], body]));
    });
    const response = await fetch(new Request(url, { method: "PUT", body: "hello", headers: { "x-own": "kept" } }));

    expect(await response.json()).toEqual(["PUT", "kept", "hello"]);
  });
});

describe("the arguments of a call", () => {
  const method: http.RequestListener = async (req, res) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    res.end(`${req.method} ${body} ${req.headers["x-own"] ?? "-"}`);
  };

  it("may be a URL and a Request as init, as in a proxy", async () => {
    const { url } = await serve(method);
    const incoming = new Request("http://outside.example/", {
      method: "POST",
      body: "payload",
      headers: { "x-own": "kept" },
    });
    expect(await (await fetch(url, incoming)).text()).toBe("POST payload kept");
  });

  it("may be a Request of another implementation, or a URL object", async () => {
    const { url } = await serve(method);
    const seen: string[] = [];
    const other = createFetch({
      fetch: async (input) => (seen.push((input as Request).url), new Response("other")),
    });
    await other({ url, headers: new Headers(), method: "GET" } as Request);
    expect(seen).toEqual([url]);
    expect(await (await fetch(new URL(url))).text()).toBe("GET  -");
  });

  it("may have a stream as body", async () => {
    const { url } = await serve(method);
    const body = new Blob(["streamed"]).stream();
    expect(await (await fetch(url, { method: "PUT", body, duplex: "half" } as RequestInit)).text()).toBe(
      "PUT streamed -",
    );
  });
});

it.each([
  [{ margin: -1 }, RangeError, /'margin' must be zero or more milliseconds/],
  [{ dialect: "grpc-timeout" }, TypeError, /'dialect' must be a deadline dialect/],
  [{ fetch: "fetch" }, TypeError, /'fetch' must be a function; received string "fetch"/],
  [{ retries: 3 }, TypeError, /there is no option 'retries'/],
])("createFetch throws for the options %j", (options, type, message) => {
  expect(() => createFetch(options as never)).toThrow(type);
  expect(() => createFetch(options as never)).toThrow(message);
});
