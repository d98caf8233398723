import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, it } from "vitest";

import { durationOf } from "../span.ts";
import { formatTraces } from "./otlp-export.ts";
import { parseTracesJson } from "./otlp-json.ts";
import { parseTracesProtobuf } from "./otlp-protobuf.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = {
  traceId: TRACE,
  spanId: "b7ad6b7169203331",
  name: "n",
  startTimeUnixNano: "1790000000000000000",
  endTimeUnixNano: "1790000000010000000",
};
const requestOf = (...spans: readonly object[]): object => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
const parse = (request: object, reject?: (reason: string) => void) => parseTracesJson(JSON.stringify(request), reject);

describe("JSON from other encoders", () => {
  it("may have names of enum values, as the answers of Tempo", () => {
    const given = { ...SPAN, kind: "SPAN_KIND_SERVER", status: { code: "STATUS_CODE_ERROR", message: "m" } };
    expect(parse(requestOf(given))[0]).toMatchObject({ kind: "server", failed: true, statusMessage: "m" });
    const quoted = { ...SPAN, kind: "3", status: { code: "2" } };
    expect(parse(requestOf(quoted))[0]).toMatchObject({ kind: "client", failed: true });
  });

  it("may omit zeros: the time of an event, the end of a span, the ids of a link", () => {
    const { endTimeUnixNano: _, ...unfinished } = SPAN;
    const [span] = parse(requestOf({ ...unfinished, events: [{ name: "e" }], links: [{}] }));
    expect(span).toMatchObject({ isUnfinished: true, events: [{ name: "e", time: 1_790_000_000_000 }] });
    expect([span!.end, span!.links]).toEqual([span!.start, undefined]);
  });

  it.each([
    ["batches", { batches: [{ scopeSpans: [{ spans: [SPAN] }] }] }],
    ["trace", { trace: requestOf(SPAN) }],
    ["result", { result: requestOf(SPAN) }],
    [
      "snake case",
      { resource_spans: [{ scope_spans: [{ spans: [{ ...SPAN, traceId: undefined, trace_id: TRACE }] }] }] },
    ],
    ["scopes of old versions", { resourceSpans: [{ instrumentationLibrarySpans: [{ spans: [SPAN] }] }] }],
    ["ids in base64", requestOf({ ...SPAN, traceId: "CvdlGRbNQ92ESOshHIAxnA==", spanId: "t61rcWkgMzE=" })],
  ])("may have %s", (_what, request) => {
    expect(parse(request)).toMatchObject([{ traceId: TRACE, spanId: "b7ad6b7169203331" }]);
  });

  it("is rejected if it has no known part", () => {
    expect(() => parse({ spans: [] })).toThrow("Cannot read traces: the body must have 'resourceSpans'; it has spans");
  });

  it("keeps the valid spans beside an invalid one", () => {
    const reasons: string[] = [];
    const spans = parse(requestOf(SPAN, { ...SPAN, spanId: "" }, { ...SPAN, events: 5 }), (reason) =>
      reasons.push(reason),
    );
    expect([spans.length, reasons]).toEqual([1, ["'spanId' must be 16 hexadecimal digits", "'events' must be a list"]]);
  });
});

it("keeps nanoseconds, and the attributes of links and scopes, through an export", () => {
  const request = {
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "s" } }] },
        scopeSpans: [
          {
            scope: { name: "lib", version: "1.2", attributes: [{ key: "a", value: { stringValue: "b" } }] },
            spans: [
              {
                ...SPAN,
                kind: 1,
                startTimeUnixNano: "1790000000000999999",
                endTimeUnixNano: "1790000000001000100",
                attributes: [],
                events: [],
                links: [
                  {
                    traceId: TRACE,
                    spanId: "00f067aa0ba902b7",
                    attributes: [{ key: "why", value: { stringValue: "retry" } }],
                  },
                ],
                status: { code: 0, message: "" },
              },
            ],
          },
        ],
      },
    ],
  };
  const spans = parse(request);
  expect(durationOf(spans[0]!)).toBeCloseTo(0.000101, 9);
  expect(formatTraces(spans)).toEqual(request);
});

it("keeps the valid spans in protobuf, and the nanoseconds", () => {
  const within = (field: number, bytes: Uint8Array) => new BinaryWriter().tag(field, 2).bytes(bytes).finish();
  const span = (spanId: number, length: number) =>
    new BinaryWriter()
      .tag(1, 2)
      .bytes(new Uint8Array(16).fill(1))
      .tag(2, 2)
      .bytes(new Uint8Array(length).fill(spanId))
      .tag(7, 1)
      .fixed64(1_790_000_000_000_000_001n)
      .tag(8, 1)
      .fixed64(1_790_000_000_000_000_008n)
      .finish();
  const scopes = Buffer.concat([span(1, 8), span(2, 3), span(3, 8)].map((each) => within(2, each)));
  const reasons: string[] = [];
  const spans = parseTracesProtobuf(within(1, within(2, scopes)), (reason) => reasons.push(reason));
  expect(spans.map(({ spanId }) => spanId)).toEqual(["01".repeat(8), "03".repeat(8)]);
  expect(reasons).toEqual(["'span_id' must be 8 bytes; received 3"]);
  expect(durationOf(spans[0]!)).toBeCloseTo(0.000007, 9);
});
