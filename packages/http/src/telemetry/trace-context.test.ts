import { trace } from "@opentelemetry/api";
import { background } from "@throughline/context";
import { describe, expect, it } from "vitest";

import { webHeaders } from "../headers.ts";
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

  it("that is not there is not made up", () => {
    const sent: Record<string, string> = {};
    injectTrace(background, sent, { set: (carrier, name, value) => void (carrier[name] = value) });
    expect(sent).toEqual({});
  });
});
