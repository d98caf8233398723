import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { TraceList } from "../api.ts";
import type { TraceStore } from "../store/trace-store.ts";
import { startViewer, type Viewer } from "./viewer.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

const request = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: TRACE,
              spanId: "b7ad6b7169203331",
              name: "GET /",
              kind: 2,
              startTimeUnixNano: "1700000000000500000",
              endTimeUnixNano: "1700000000010500000",
              attributes: [
                { key: "http.response.status_code", value: { intValue: "504" } },
                { key: "throughline.ended_by", value: { stringValue: "deadline" } },
              ],
              status: { code: 2 },
            },
          ],
        },
      ],
    },
  ],
};

describe("the receiver", () => {
  let store: TraceStore;
  let receiver: Viewer;
  beforeEach(async () => {
    receiver = await startViewer({ port: 0, maxRequestBytes: 10_000 });
    ({ store } = receiver);
  });
  afterEach(() => receiver.close());

  async function post(
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
    path = "/v1/traces",
  ): Promise<[number, string]> {
    const response = await fetch(receiver.url + path, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers },
    });
    return [response.status, await response.text()];
  }

  it("accepts traces in JSON", async () => {
    expect(await post(JSON.stringify(request))).toEqual([200, "{}"]);
    expect(store.trace(TRACE)).toEqual([
      {
        traceId: TRACE,
        spanId: "b7ad6b7169203331",
        parentSpanId: undefined,
        service: "shop",
        name: "GET /",
        kind: "server",
        start: 1_700_000_000_000.5,
        end: 1_700_000_000_010.5,
        attributes: { "http.response.status_code": 504, "throughline.ended_by": "deadline" },
        failed: true,
        resource: { "service.name": "shop" },
      },
    ]);
  });

  it("accepts gzip", async () => {
    expect((await post(new Uint8Array(gzipSync(JSON.stringify(request))), { "content-encoding": "gzip" }))[0]).toBe(
      200,
    );
    expect(store.size.spans).toBe(1);
  });

  it.each([
    ["a body that is not JSON", "{", {}, 400, /JSON/],
    [
      "a span without an id",
      JSON.stringify(request).replace("b7ad6b7169203331", "b7"),
      {},
      400,
      /'spanId' must be 16 hexadecimal digits/,
    ],
    [
      "a span without a time",
      JSON.stringify(request).replace("1700000000000500000", "soon"),
      {},
      400,
      /'startTimeUnixNano' must be nanoseconds/,
    ],
    [
      "another content type",
      "x",
      { "content-type": "application/grpc" },
      415,
      /OTEL_EXPORTER_OTLP_PROTOCOL=http\/protobuf or http\/json\); received application\/grpc/,
    ],
    ["a body that is not protobuf", "x", { "content-type": "application/x-protobuf" }, 400, /not OTLP in protobuf/],
    ["another compression", "x", { "content-encoding": "br" }, 415, /'content-encoding' must be gzip or absent/],
    ["a body that is not gzip despite its header", "x", { "content-encoding": "gzip" }, 400, /unexpected end of file/],
    ["a body above the limit", JSON.stringify({ x: "x".repeat(20_000) }), {}, 413, /10000 bytes or fewer/],
  ])("rejects %s with the reason", async (_name, body, headers, status, message) => {
    const [actual, text] = await post(body, headers as Record<string, string>);
    expect(actual).toBe(status);
    expect(text).toMatch(message);
    expect(store.size.spans).toBe(0);
  });

  it("rejects a gzip body that decompresses to more than the limit", async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(1_000_000)));
    expect((await post(bomb, { "content-encoding": "gzip" }))[0]).toBe(413);
  });

  it("keeps serving after an aborted upload", async () => {
    const socket = connect(Number(new URL(receiver.url).port), "127.0.0.1");
    socket.write(
      "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: Application/JSON\r\n" +
        "Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n",
    );
    socket.write(gzipSync("{").subarray(0, 12), () => socket.destroy());
    await once(socket, "close");
    expect((await post(JSON.stringify(request)))[0]).toBe(200);
  });

  it("stores the valid spans of a request, and reports the others as a partial success", async () => {
    const [first] = request.resourceSpans[0]!.scopeSpans[0]!.spans;
    const spans = [first, { ...first, spanId: "b7" }, { ...first, spanId: "00f067aa0ba902b7" }];
    const [status, text] = await post(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect([status, JSON.parse(text)]).toEqual([
      200,
      { partialSuccess: { rejectedSpans: "1", errorMessage: "'spanId' must be 16 hexadecimal digits" } },
    ]);
    expect(store.size.spans).toBe(2);
    // Also if no span is valid.
    await post(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...first, traceId: "0a" }] }] }] }));
    const { refused } = (await (await fetch(`${receiver.url}/api/traces`)).json()) as TraceList;
    expect(refused).toEqual({ spans: 2, reason: "'traceId' must be 32 hexadecimal digits" });
  });

  it("accepts metrics and logs and drops them", async () => {
    expect(await post("{}", {}, "/v1/metrics")).toEqual([200, "{}"]);
    expect(await post("{}", {}, "/v1/logs")).toEqual([200, "{}"]);
  });

  it("rejects methods other than POST", async () => {
    expect((await fetch(`${receiver.url}/v1/traces`)).status).toBe(405);
  });
});
