import { describe, expect, it } from "vitest";

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

describe("resources", () => {
  const resource = (): object => ({ resource: { "service.name": "shop", text: "x".repeat(10_000) } });

  it("that are equal are kept as one, and leave with the last span of theirs", () => {
    const store = new TraceStore();
    store.add([span("a", "1", resource()), span("b", "2", resource())]);
    store.add([span("b", "2", resource())]);
    expect(store.trace("a")[0]!.resource).toBe(store.trace("b")[0]!.resource);
    expect(store.size.bytes).toBeGreaterThan(10_000);
    expect(store.size.bytes).toBeLessThan(40_000);
  });

  it("count among the bytes as long as a span is of them", () => {
    const empty = new TraceStore({ maxSpans: 1 });
    empty.add([span("z", "1")]);
    const store = new TraceStore({ maxSpans: 1 });
    const shared = resource();
    for (const trace of ["a", "b", "a"]) store.add([span(trace, "1", shared)]);
    expect(store.size.bytes).toBeGreaterThan(10_000);
    store.add([span("z", "1")]);
    expect(store.size.bytes).toBe(empty.size.bytes);
  });

  it("past the bytes let the oldest trace go", () => {
    const store = new TraceStore({ maxBytes: 100_000 });
    for (let id = 0; id < 100; id++) store.add([span(`${id}`, "1", { resource: { text: `${id}`.repeat(10_000) } })]);
    expect(store.size.spans).toBeLessThan(10);
  });
});

it("refuses a size that is none", () => {
  expect(() => new TraceStore({ maxSpans: 0 })).toThrow(
    "Cannot make a store: 'maxSpans' must be a number above 0; received 0",
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
