import { gzipSync } from "node:zlib";

import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, it } from "vitest";

import { formatTraces } from "../otlp/otlp-export.ts";
import { span } from "../span.fixture.ts";
import { parseTraceFile } from "./trace-file.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const otlp = formatTraces([span(TRACE, "b7ad6b7169203331", { start: 1000, end: 1010 })]);
const bytes = (value: object | string): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const ids = (file: Uint8Array) => parseTraceFile(file).map(({ traceId, spanId }) => `${traceId} ${spanId}`);

const within = (field: number, inner: Uint8Array): Uint8Array => new BinaryWriter().tag(field, 2).bytes(inner).finish();
const protobufSpan = new BinaryWriter()
  .tag(1, 2)
  .bytes(Buffer.from(TRACE, "hex"))
  .tag(2, 2)
  .bytes(Buffer.from("b7ad6b7169203331", "hex"))
  .finish();
const protobuf = within(1, within(2, within(2, protobufSpan)));

/** As Jaeger's user interface downloads it. */
const jaeger = {
  data: [
    {
      traceID: TRACE,
      spans: [
        {
          traceID: TRACE,
          spanID: "b7ad6b7169203331",
          operationName: "GET /",
          references: [{ refType: "CHILD_OF", traceID: TRACE, spanID: "f067aa0ba902b7" }],
          startTime: 1_729_181_197_748_657,
          duration: 1503,
          tags: [
            { key: "http.status_code", type: "int64", value: 504 },
            { key: "span.kind", type: "string", value: "server" },
            { key: "error", type: "bool", value: true },
            { key: "otel.status_description", type: "string", value: "timed out" },
          ],
          logs: [
            {
              timestamp: 1_729_181_197_749_000,
              fields: [
                { key: "event", type: "string", value: "exception" },
                { key: "exception.message", type: "string", value: "m" },
              ],
            },
          ],
          processID: "p1",
          warnings: null,
        },
      ],
      processes: { p1: { serviceName: "shop", tags: [{ key: "host.name", type: "string", value: "h" }] } },
    },
  ],
};

const zipkin = [
  {
    traceId: "d03ac6e6a2b1c3f4",
    id: "352bff9a74ca9ad2",
    parentId: "6b221d5bc9e6496c",
    kind: "CLIENT",
    name: "get",
    timestamp: 1_556_604_172_355_737,
    duration: 1431,
    localEndpoint: { serviceName: "backend" },
    tags: { error: "boom", "http.path": "/api" },
    annotations: [{ timestamp: 1_556_604_172_356_000, value: "sent" }],
  },
];

describe("a file of traces", () => {
  it.each([
    ["OTLP in JSON", bytes(otlp)],
    ["OTLP in JSON with a byte order mark", bytes(`\u{feff}\n ${JSON.stringify(otlp)}`)],
    ["OTLP in lines of JSON", bytes(`${JSON.stringify(otlp)}\n\n${JSON.stringify({ resourceSpans: [] })}\n`)],
    ["OTLP in gzipped JSON", gzipSync(bytes(otlp))],
    ["OTLP in protobuf", protobuf],
    ["Tempo's answer in protobuf of version 2", within(1, protobuf)],
    ["Tempo's answer in JSON", bytes({ batches: (otlp as { resourceSpans: object[] }).resourceSpans })],
    ["Jaeger's answer of version 3", bytes({ result: otlp })],
    ["Jaeger's download", bytes(jaeger)],
    ["one trace of Jaeger", bytes(jaeger.data[0]!)],
  ])("may be %s", (_what, file) => {
    expect(ids(file)).toEqual([`${TRACE} b7ad6b7169203331`]);
  });

  it("of Jaeger keeps the parent, the tags, the status and the logs", () => {
    expect(parseTraceFile(bytes(jaeger))[0]).toMatchObject({
      parentSpanId: "00f067aa0ba902b7",
      service: "shop",
      kind: "server",
      start: 1_729_181_197_748.657,
      failed: true,
      statusMessage: "timed out",
      attributes: { "http.status_code": 504 },
      resource: { "service.name": "shop", "host.name": "h" },
      events: [{ name: "exception", time: 1_729_181_197_749, attributes: { "exception.message": "m" } }],
    });
  });

  it("of Zipkin is read, with its short trace ids", () => {
    expect([zipkin[0]!, [zipkin]].map((each) => parseTraceFile(bytes(each)).length)).toEqual([1, 1]);
    expect(parseTraceFile(bytes(zipkin))[0]).toMatchObject({
      traceId: "0000000000000000d03ac6e6a2b1c3f4",
      parentSpanId: "6b221d5bc9e6496c",
      service: "backend",
      kind: "client",
      failed: true,
      events: [{ name: "sent" }],
    });
  });

  it("keeps the complete lines of a file that is being written", () => {
    const reasons: string[] = [];
    const file = bytes(`${JSON.stringify(otlp)}\n${JSON.stringify(otlp).slice(0, 50)}`);
    expect(parseTraceFile(file, (reason) => reasons.push(reason))).toHaveLength(1);
    expect(reasons).toEqual([expect.stringMatching(/^line 2 is not JSON/)]);
  });

  it.each([
    ["text", "not a trace", /not OTLP in protobuf|field is longer|longer than/],
    ["broken JSON", "{", /neither JSON nor OTLP in protobuf/],
    ["other JSON", '{"name":"package"}', /must have 'resourceSpans'/],
  ])("is rejected if it is %s", (_what, text, message) => {
    expect(() => parseTraceFile(bytes(text))).toThrow(message);
  });
});
