import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { describe, expect, it } from "vitest";

import { background } from "./context.ts";
import { run } from "./current.ts";
import { withoutCancel, withValue } from "./derive.ts";
import {
  readTrace,
  TraceContextPropagator,
  traceHeaders,
  traceId,
  type TraceOwner,
  traceOwnerKey,
  withTrace,
} from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

/** The forwarded tracestate of one that was received with a valid traceparent. */
function forwarded(tracestate: string | string[]): string | undefined {
  return readTrace(TRACEPARENT, tracestate)?.traceState?.serialize();
}

describe("a traceparent", () => {
  it("contains trace id, span id and known flags", () => {
    expect(readTrace(`00-${TRACE}-${SPAN}-ff`, undefined)).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      traceFlags: 3,
      isRemote: true,
    });
  });

  it("of a later version is read as far as it is known", () => {
    expect(readTrace(`01-${TRACE}-${SPAN}-01-more`, undefined)).toMatchObject({ traceId: TRACE, spanId: SPAN });
  });

  it.each([
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `${TRACEPARENT}, ${TRACEPARENT}`,
    "nonsense",
    // U+0661 and U+012D end in the bytes of `a` and `-`.
    `00-\u0661${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-0\u0661`,
    `00\u012d${TRACE}-${SPAN}-01`,
    `01-${TRACE}-${SPAN}-01\u012dmore`,
    `01-${TRACE}-${SPAN}-01\u{1f62d}`,
  ])("that is malformed is dropped: %j", (traceparent) => {
    // The parser reuses its buffer: bytes of this value must not be read as the end of the next one.
    readTrace(`01-${TRACE}-${SPAN}-01-more`, undefined);
    expect(readTrace(traceparent, "foo=1")).toBeUndefined();
  });

  it("that was sent twice is dropped", () => {
    expect(readTrace([TRACEPARENT, TRACEPARENT], undefined)).toBeUndefined();
    expect(readTrace([TRACEPARENT], undefined)).toMatchObject({ traceId: TRACE });
  });
});

describe("a tracestate", () => {
  const many = (count: number): string => Array.from({ length: count }, (_, index) => `m${index}=1`).join(",");

  it.each<[string | string[], string]>([
    ["foo=1,bar=2", "foo=1,bar=2"],
    ["foo=1 \t , \t bar=2", "foo=1,bar=2"],
    [["foo=1", "bar=2,baz=3"], "foo=1,bar=2,baz=3"],
    ["foo=1,,bar=2,", "foo=1,bar=2"],
    ["foo=1,foo=2", "foo=1,foo=2"],
    ["0a_-*/@b@@=~ !", "0a_-*/@b@@=~ !"],
    [`${"z".repeat(256)}=${"v".repeat(256)}`, `${"z".repeat(256)}=${"v".repeat(256)}`],
    [many(32), many(32)],
  ])("that follows the grammar is forwarded: %j", (given, sent) => {
    expect(forwarded(given)).toBe(sent);
  });

  it.each([
    "",
    ",",
    "foo",
    "foo =1",
    "FOO=1",
    "foo.bar=1",
    "@foo=1",
    "foo=",
    "foo=bar=baz",
    "foo=1\u0007",
    "foo=\u00e9",
    `${"z".repeat(257)}=1`,
    `foo=${"v".repeat(257)}`,
    many(33),
    `foo=1,bar=${"v".repeat(9000)}`,
  ])("is dropped as a whole if one member is malformed, and the trace is kept: %j", (tracestate) => {
    expect(forwarded(`ok=1,${tracestate}`)).toBe(tracestate === "" || tracestate === "," ? "ok=1" : undefined);
    expect(readTrace(TRACEPARENT, tracestate)).toMatchObject({ traceId: TRACE });
  });

  it("returns members and can be modified", () => {
    const state = readTrace(TRACEPARENT, "foo=1,bar=2")!.traceState!;
    expect([
      state.get("bar"),
      state.get("ba"),
      state.set("baz", "3").serialize(),
      state.unset("foo").serialize(),
    ]).toEqual(["2", undefined, "baz=3,foo=1,bar=2", "bar=2"]);
  });
});

describe("the trace headers", () => {
  const owner: TraceOwner = { ownTraceId: "1".repeat(32) };
  const request = withValue(background, traceOwnerKey, owner);

  it("contain the caller's trace, flags and state, and a new parent id each time", () => {
    const ctx = withTrace(background, readTrace(`00-${TRACE}-${SPAN}-03`, "vendor=1"));
    const [first, second] = [traceHeaders(ctx), traceHeaders(ctx)];

    expect(first).toEqual([
      ["traceparent", expect.stringMatching(`^00-${TRACE}-[0-9a-f]{16}-03$`)],
      ["tracestate", "vendor=1"],
    ]);
    expect(new Set([first[0]![1], second[0]![1], `00-${TRACE}-${SPAN}-03`]).size).toBe(3);
  });

  it("begin a trace in a request without one, the same for the whole request", () => {
    const [[, first], [, second]] = [traceHeaders(request)[0]!, traceHeaders(withoutCancel(request))[0]!];
    expect(first).toMatch(new RegExp(`^00-${owner.ownTraceId}-[0-9a-f]{16}-02$`));
    expect(second.slice(0, 35)).toBe(first.slice(0, 35));
    expect(second).not.toBe(first);
  });

  it("contain the active span of this service", () => {
    const local = { traceId: TRACE, spanId: SPAN, traceFlags: 1 };
    expect(traceHeaders(trace.setSpanContext(background, local))).toEqual([["traceparent", `00-${TRACE}-${SPAN}-03`]]);
  });

  it("are empty outside any trace", () => {
    expect(traceHeaders(background)).toEqual([]);
    expect(traceHeaders(ROOT_CONTEXT)).toEqual([]);
  });

  it("have the trace id that traceId() returns", () => {
    expect([traceId(background), traceId(request)]).toEqual([undefined, owner.ownTraceId]);
    expect(traceId(withTrace(request, readTrace(TRACEPARENT, undefined)))).toBe(TRACE);
    expect(run(request, () => traceId())).toBe(owner.ownTraceId);
  });
});

describe("TraceContextPropagator", () => {
  const propagator = new TraceContextPropagator();
  const extracted = (headers: Record<string, string>) =>
    propagator.extract(ROOT_CONTEXT, headers, { get: (carrier, key) => carrier[key], keys: Object.keys });

  function injected(ctx: Parameters<typeof propagator.inject>[0]): Record<string, string> {
    const sent: Record<string, string> = {};
    propagator.inject(ctx, sent, { set: (carrier, name, value) => void (carrier[name] = value) });
    return sent;
  }

  it.each([
    ["00", "00"],
    ["01", "01"],
    ["02", "03"],
    ["03", "03"],
  ])("forwards the random flag of a caller with the flags %s through a span without it", (came, goes) => {
    const ctx = extracted({ traceparent: `00-${TRACE}-${SPAN}-${came}` });
    const sampled = came === "02" ? 1 : Number(came) & 1;
    const span = { traceId: TRACE, spanId: "1234567890123456", traceFlags: sampled };
    expect(injected(trace.setSpanContext(ctx, span))["traceparent"]).toBe(`00-${TRACE}-1234567890123456-${goes}`);
  });

  it("removes the trace for a malformed header, even if another propagator has set one", () => {
    const extractedBefore = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: TRACE,
      spanId: SPAN,
      traceFlags: 1,
      isRemote: true,
    });
    const ctx = propagator.extract(extractedBefore, { traceparent: "no" }, { get: () => "no", keys: () => [] });
    expect(trace.getSpanContext(ctx)).toBeUndefined();
  });

  it("writes nothing outside any trace, and lists its fields", () => {
    expect(injected(ROOT_CONTEXT)).toEqual({});
    expect(propagator.fields()).toEqual(["traceparent", "tracestate"]);
  });
});
