import { expect, it } from "vitest";

import type { ViewedSpan } from "./span.ts";
import { TraceStore } from "./trace-store.ts";

function span(traceId: string, spanId: string, start = 0): ViewedSpan {
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
  };
}

it("gives the spans of a trace by their start, however they came", () => {
  const store = new TraceStore();
  store.add([span("a", "2", 20), span("a", "1", 10), span("b", "3", 5)]);
  expect(store.trace("a").map(({ spanId }) => spanId)).toEqual(["1", "2"]);
});

it("counts a span that comes again once", () => {
  const store = new TraceStore();
  store.add([span("a", "1"), span("a", "1")]);
  expect(store.spanCount).toBe(1);
});

it("is no larger for a trace that is larger than all of it", () => {
  const store = new TraceStore(3);
  store.add(["1", "2", "3", "4", "5"].map((id) => span("a", id)));
  expect(store.spanCount).toBeLessThanOrEqual(3);
});

it("past its size lets the oldest trace go", () => {
  const store = new TraceStore(3);
  store.add([span("a", "1"), span("a", "2"), span("b", "3")]);
  store.add([span("c", "4")]);
  expect([store.trace("a"), store.spanCount]).toEqual([[], 2]);
});
