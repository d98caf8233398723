import { describe, expect, it } from "vitest";

import { span } from "../span.fixture.ts";
import { TraceStore } from "./trace-store.ts";

it("returns the spans of a trace sorted by start, in whatever order they arrive", () => {
  const store = new TraceStore();
  store.add([span("a", "2", { start: 20 }), span("a", "1", { start: 10 }), span("b", "3", { start: 5 })]);
  expect(store.trace("a").map(({ spanId }) => spanId)).toEqual(["1", "2"]);
});

it("counts a span that arrives twice once", () => {
  const store = new TraceStore();
  store.add([span("a", "1"), span("a", "1")]);
  expect(store.size.spans).toBe(1);
});

it("keeps its limit for a trace that is larger than the store", () => {
  const store = new TraceStore({ maxSpans: 3 });
  store.add(["1", "2", "3", "4", "5"].map((id) => span("a", id)));
  expect(store.size.spans).toBeLessThanOrEqual(3);
});

it("drops the oldest trace above maxSpans", () => {
  const store = new TraceStore({ maxSpans: 3 });
  store.add([span("a", "1"), span("a", "2"), span("b", "3")]);
  store.add([span("c", "4")]);
  expect([store.trace("a"), store.size.spans]).toEqual([[], 2]);
});

it("drops the oldest trace above maxBytes, and counts the dropped spans", () => {
  const store = new TraceStore({ maxBytes: 30_000 });
  for (const id of ["a", "b", "c", "d"]) store.add([span(id, "1", { attributes: { text: "x".repeat(10_000) } })]);
  expect([store.trace("a"), store.trace("b"), store.size.traces, store.dropped]).toEqual([[], [], 2, 2]);
  expect(store.size.bytes).toBeLessThanOrEqual(30_000);
});

describe("resources", () => {
  const resource = (): object => ({ resource: { "service.name": "shop", text: "x".repeat(10_000) } });

  it("share one object if equal, and count once", () => {
    const store = new TraceStore();
    store.add([span("a", "1", resource()), span("b", "2", resource())]);
    store.add([span("b", "2", resource())]);
    expect(store.trace("a")[0]!.resource).toBe(store.trace("b")[0]!.resource);
    expect(store.size.bytes).toBeGreaterThan(10_000);
    expect(store.size.bytes).toBeLessThan(40_000);
  });

  it("count toward the bytes until their last span is dropped", () => {
    const empty = new TraceStore({ maxSpans: 1 });
    empty.add([span("z", "1")]);
    const store = new TraceStore({ maxSpans: 1 });
    const shared = resource();
    for (const trace of ["a", "b", "a"]) store.add([span(trace, "1", shared)]);
    expect(store.size.bytes).toBeGreaterThan(10_000);
    store.add([span("z", "1")]);
    expect(store.size.bytes).toBe(empty.size.bytes);
  });

  it("cause the store to drop the oldest trace above maxBytes", () => {
    const store = new TraceStore({ maxBytes: 100_000 });
    for (let id = 0; id < 100; id++) store.add([span(`${id}`, "1", { resource: { text: `${id}`.repeat(10_000) } })]);
    expect(store.size.spans).toBeLessThan(10);
  });
});

it("rejects a limit of 0", () => {
  expect(() => new TraceStore({ maxSpans: 0 })).toThrow(
    "Cannot create a trace store: 'maxSpans' must be a number above 0; received 0",
  );
});

it("summarizes a trace by its root span, and again when more spans arrive", () => {
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
