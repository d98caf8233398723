import { trace } from "@opentelemetry/api";
import { background } from "@throughline/context";
import { describe, expect, it } from "vitest";

import { NodeHeaders, webHeaders } from "../headers.ts";
import { extractTrace, injectTrace } from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

function extracted(headers: Record<string, string>): ReturnType<typeof trace.getSpanContext> {
  return trace.getSpanContext(extractTrace(background, webHeaders(new Headers(headers))));
}

describe("without a propagator, a trace", () => {
  it("is passed through as it came", () => {
    const ctx = extractTrace(
      background,
      webHeaders(new Headers({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "vendor=1,other=2" })),
    );
    const sent: Record<string, string> = {};
    injectTrace(ctx, sent, { set: (carrier, name, value) => void (carrier[name] = value) });

    expect(sent).toEqual({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "vendor=1,other=2" });
  });

  it("of a later version is read by what is known of it", () => {
    expect(extracted({ traceparent: `01-${TRACE}-${SPAN}-01-more` })).toMatchObject({
      traceId: TRACE,
      spanId: SPAN,
      isRemote: true,
    });
  });

  it.each([
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    "nonsense",
  ])("that does not hold is dropped: %s", (traceparent) => {
    expect(extracted({ traceparent })).toBeUndefined();
  });

  // U+0661 and U+012D end in the bytes of `a` and `-`.
  it.each([
    `00-\u0661${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-0\u0661`,
    `00\u012d${TRACE}-${SPAN}-01`,
    `01-${TRACE}-${SPAN}-01\u012dmore`,
    `01-${TRACE}-${SPAN}-01\u{1f62d}`,
  ])("that has a character beyond latin1 is dropped: %j", (traceparent) => {
    // Its bytes must not be read again as the end of the next one.
    extracted({ traceparent: `01-${TRACE}-${SPAN}-01-more` });
    const ctx = extractTrace(background, new NodeHeaders({ traceparent }));
    expect(trace.getSpanContext(ctx)).toBeUndefined();
  });

  it("that is not there is not made up", () => {
    const sent: Record<string, string> = {};
    injectTrace(background, sent, { set: (carrier, name, value) => void (carrier[name] = value) });
    expect(sent).toEqual({});
  });
});
