import type { ViewedSpan } from "./span.ts";

/** A span for a test, with defaults for all fields that the test does not set. */
export function span(traceId: string, spanId: string, given: Partial<ViewedSpan> = {}): ViewedSpan {
  const { start = 0 } = given;
  return {
    traceId,
    spanId,
    parentSpanId: undefined,
    service: "s",
    name: "n",
    kind: "internal",
    start,
    end: start + 1,
    attributes: {},
    failed: false,
    ...given,
  };
}
