import { propagation } from "@opentelemetry/api";
import { CompositePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { background, traceId, withValue } from "@throughline/context";
import { traceOwnerKey } from "@throughline/context/internal";
import { afterEach, describe, expect, it } from "vitest";

import { webHeaders } from "../wire/headers.ts";
import { extractTrace, injectTrace } from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

function sentIn(ctx: Parameters<typeof injectTrace>[0]): Record<string, string> {
  const sent: Record<string, string> = {};
  injectTrace(ctx, sent, { set: (carrier, name, value) => void (carrier[name] = value) });
  return sent;
}

afterEach(() => propagation.disable());

describe.each([
  ["without a propagator", () => {}],
  [
    "with a propagator of OpenTelemetry and no tracing SDK",
    () =>
      void propagation.setGlobalPropagator(new CompositePropagator({ propagators: [new W3CTraceContextPropagator()] })),
  ],
])("%s, a trace", (_, setUp) => {
  it("continues with a new parent id", () => {
    setUp();
    const headers = new Headers({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "vendor=1,other=2" });
    const ctx = extractTrace(background, webHeaders(headers));
    const sent = sentIn(ctx);

    expect(traceId(ctx)).toBe(TRACE);
    expect(sent).toEqual({
      traceparent: expect.stringMatching(`^00-${TRACE}-[0-9a-f]{16}-01$`),
      tracestate: "vendor=1,other=2",
    });
    expect(sent["traceparent"]).not.toContain(SPAN);
  });

  it("starts in a request without a trace, and not outside of requests", () => {
    setUp();
    const request = withValue(background, traceOwnerKey, { ownTraceId: TRACE });
    expect(sentIn(extractTrace(request, webHeaders(new Headers())))["traceparent"]).toMatch(TRACE);
    expect(sentIn(background)).toEqual({});
  });
});
