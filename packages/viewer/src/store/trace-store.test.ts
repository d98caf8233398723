import { expect, it } from "vitest";

import { span } from "../span.fixture.ts";
import { TraceStore } from "./trace-store.ts";

it("gives the spans of a trace by their start, however they came", () => {
  const store = new TraceStore();
  store.add([span("a", "2", { start: 20 }), span("a", "1", { start: 10 }), span("b", "3", { start: 5 })]);
  expect(store.trace("a").map(({ spanId }) => spanId)).toEqual(["1", "2"]);
});

it("counts a span that comes again once", () => {
  const store = new TraceStore();
  store.add([span("a", "1"), span("a", "1")]);
  expect(store.size.spans).toBe(1);
});

it("is no larger for a trace that is larger than all of it", () => {
  const store = new TraceStore({ maxSpans: 3 });
  store.add(["1", "2", "3", "4", "5"].map((id) => span("a", id)));
  expect(store.size.spans).toBeLessThanOrEqual(3);
});

it("past its size lets the oldest trace go", () => {
  const store = new TraceStore({ maxSpans: 3 });
  store.add([span("a", "1"), span("a", "2"), span("b", "3")]);
  store.add([span("c", "4")]);
  expect([store.trace("a"), store.size.spans]).toEqual([[], 2]);
});

it("past its bytes lets the oldest trace go, and counts what has gone", () => {
  const store = new TraceStore({ maxBytes: 30_000 });
  for (const id of ["a", "b", "c", "d"]) store.add([span(id, "1", { attributes: { text: "x".repeat(10_000) } })]);
  expect([store.trace("a"), store.trace("b"), store.size.traces, store.dropped]).toEqual([[], [], 2, 2]);
  expect(store.size.bytes).toBeLessThanOrEqual(30_000);
});

it("refuses a size that is none", () => {
  expect(() => new TraceStore({ maxSpans: 0 })).toThrow(
    "Cannot make a store: 'maxSpans' must be a number above 0: current value is 0",
  );
});

it("sums a trace up by its root, and anew when more of it comes", () => {
  const store = new TraceStore();
  const attributes = {
    "http.response.status_code": 504,
    "throughline.ended_by": "deadline",
    "throughline.deadline.budget_ms": 300,
  };
  store.add([span("a", "2", { parentSpanId: "1", start: 10, end: 40, service: "search", failed: true })]);
  expect([...store.summaries()]).toMatchObject([{ service: "search", failed: true, status: undefined }]);

  store.add([span("a", "1", { start: 5, end: 30, name: "GET /", service: "gateway", attributes })]);
  expect([...store.summaries()]).toEqual([
    {
      traceId: "a",
      name: "GET /",
      service: "gateway",
      services: ["search", "gateway"],
      start: 5,
      duration: 35,
      spans: 2,
      failed: true,
      status: 504,
      endedBy: "deadline",
      budget: 300,
    },
  ]);
});
