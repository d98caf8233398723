import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { parseTracesJson } from "../otlp/otlp-json.ts";
import { span } from "../span.fixture.ts";
import { startViewer, type Viewer } from "./viewer.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const ONE = span(TRACE, "b7ad6b7169203331", { service: "shop" });

describe("the viewer", () => {
  let viewer: Viewer;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "viewer-"));
    writeFileSync(join(folder, "index.html"), "<title>the page</title>");
    mkdirSync(join(folder, "assets"));
    writeFileSync(join(folder, "assets", "page-1.js"), "1");
    viewer = await startViewer({ port: 0, page: folder });
    viewer.store.add([ONE]);
  });
  afterEach(async () => {
    await viewer.close();
    rmSync(folder, { recursive: true });
  });

  /** Uses `node:http`, because `fetch` does not let a caller set `Host` and `Origin`. */
  async function ask(path: string, headers: http.OutgoingHttpHeaders = {}, method = "GET"): Promise<[number, string]> {
    const request = http.request(viewer.url + path, { headers, method }).end();
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return [response.statusCode!, (await response.setEncoding("utf8").toArray()).join("")];
  }

  it("serves the page with a content security policy", async () => {
    const response = await fetch(viewer.url);
    expect(await response.text()).toContain("the page");
    expect(response.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; script-src 'self';.*frame-ancestors 'none'$/,
    );
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await fetch(`${viewer.url}/assets/page-1.js`)).headers.get("cache-control")).toContain("immutable");
  });

  it.each(["/../package.json", "/..%2fpackage.json", "/assets/../../x", "/nothing"])(
    "serves only files of the page: %s is 404",
    async (path) => {
      expect((await ask(path))[0]).toBe(404);
    },
  );

  it("returns a list of traces, one trace and the graph of services", async () => {
    const list = await (await fetch(`${viewer.url}/api/traces?service=shop`)).json();
    expect(list).toMatchObject({ traces: [{ traceId: TRACE }], matching: 1, stored: { spans: 1 } });
    const one = await (await fetch(`${viewer.url}/api/traces/${TRACE}`)).json();
    expect(one).toEqual({ traceId: TRACE, spans: [JSON.parse(JSON.stringify(ONE))] });
    expect(await (await fetch(`${viewer.url}/api/graph`)).json()).toMatchObject({ services: [{ name: "shop" }] });
  });

  it("exports a trace as OTLP in JSON", async () => {
    const response = await fetch(`${viewer.url}/api/traces/${TRACE}/otlp`);
    expect(response.headers.get("content-disposition")).toBe(`attachment; filename="trace-${TRACE}.json"`);
    expect(parseTracesJson(await response.text())).toMatchObject([{ traceId: TRACE, service: "shop" }]);
  });

  it.each([
    ["/api/traces/1af7651916cd43dd8448eb211c80319c", 404, /it has not come yet, or has left to make room/],
    ["/api/traces?min=soon", 400, /'min' must be a number, zero or more; received "soon"/],
    ["/api/traces?limit=-1", 400, /'limit' must be a number/],
    ["/api/nothing", 404, /the viewer receives traces at \/v1\/traces and shows them at \//],
  ])("returns the reason if it cannot answer %s", async (path, status, message) => {
    const [actual, body] = await ask(path);
    expect([actual, JSON.parse(body).message]).toEqual([status, expect.stringMatching(message)]);
  });

  it("answers HEAD without a body", async () => {
    for (const path of ["/", "/api/traces", "/api/changes"]) expect(await ask(path, {}, "HEAD")).toEqual([200, ""]);
  });

  it("rejects methods other than GET and HEAD", async () => {
    expect((await ask("/api/traces", {}, "DELETE"))[0]).toBe(405);
  });

  it.each<[string, http.OutgoingHttpHeaders, number]>([
    ["a foreign Host header", { host: "evil.example" }, 421],
    ["a script of another origin", { origin: "https://evil.example" }, 403],
    ["an opaque origin", { origin: "null" }, 403],
    ["an image or script tag of another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, 403],
    ["another port of this machine", { "sec-fetch-site": "same-site" }, 403],
  ])("rejects %s", async (_case, headers, status) => {
    for (const path of ["/", "/api/traces", `/api/traces/${TRACE}`, "/api/changes"]) {
      const [actual, body] = await ask(path, headers);
      expect([actual, body.includes(TRACE)]).toEqual([status, false]);
    }
    expect((await ask("/v1/traces", { ...headers, "content-type": "application/json" }, "POST"))[0]).toBe(status);
  });

  it.each<[string, http.OutgoingHttpHeaders]>([
    ["localhost", { host: "localhost:4318" }],
    ["the loopback address of IPv6", { host: "[::1]:4318" }],
    ["its own page", { host: "127.0.0.1:4318", origin: "http://127.0.0.1:4318", "sec-fetch-site": "same-origin" }],
    [
      "a link from another site",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    ],
  ])("accepts %s", async (_case, headers) => {
    expect((await ask("/", headers))[0]).toBe(200);
  });

  it("notifies pages of new spans", async () => {
    const response = await fetch(`${viewer.url}/api/changes`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    await reader.read();
    viewer.store.add([span(TRACE, "17ad6b7169203331"), span(TRACE, "27ad6b7169203331")]);
    expect((await reader.read()).value).toBe('event: change\ndata: {"spans":3}\n\n');
    await reader.cancel();
  });

  it("closes while pages are connected, and returns the same promise on a second call", async () => {
    const response = await fetch(`${viewer.url}/api/changes`);
    const closed = viewer.close();
    expect(viewer.close()).toBe(closed);
    await closed;
    await response.text().catch(() => {});
    await expect(fetch(viewer.url)).rejects.toThrow("fetch failed");
  });
});

it("accepts a Host header from allowHosts", async () => {
  await using viewer = await startViewer({ port: 0, allowHosts: ["viewer.internal"] });
  const request = http.get(`${viewer.url}/api/traces`, { headers: { host: "viewer.internal" } });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(200);
});

it.each([
  ["fd00::1", "[fd00::1]:4318"],
  ["MyBox", "mybox:4318"],
])("accepts %s from allowHosts in the form that browsers send", async (allowed, host) => {
  await using viewer = await startViewer({ port: 0, allowHosts: [allowed] });
  const request = http.get(`${viewer.url}/api/traces`, { headers: { host } });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(200);
});

it.each(["viewer:4318", "a/b", "http://viewer", ""])("rejects %j as a host", async (host) => {
  await expect(startViewer({ port: 0, allowHosts: [host] })).rejects.toThrow(
    /must be names or addresses without a port/,
  );
});

it("rejects if the port is in use", async () => {
  await using viewer = await startViewer({ port: 0 });
  await expect(startViewer({ port: Number(new URL(viewer.url).port) })).rejects.toThrow("EADDRINUSE");
});
