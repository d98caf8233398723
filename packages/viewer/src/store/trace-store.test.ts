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

describe("a trace above the limits of one trace", () => {
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) =>
      span("big", `${from + index}`, { parentSpanId: from + index === 0 ? undefined : "0" }),
    );

  it("loses its newest spans, keeps its root, and drives no other trace out", () => {
    const store = new TraceStore({ maxSpans: 100 });
    for (let id = 0; id < 20; id++) store.add([span(`small${id}`, "1")]);
    let refused = 0;
    for (let from = 0; from < 120; from += 8) refused += store.add(many(from, from + 8));
    expect([refused, store.size, store.dropped]).toMatchObject([70, { traces: 21, spans: 70 }, 70]);
    expect(store.state("big")!.dropped).toBe(70);
    expect([...store.summaries()][0]).toMatchObject({ traceId: "big", spans: 50, dropped: 70 });
  });

  it("makes room for a root that arrives last", () => {
    const store = new TraceStore({ maxSpans: 10 });
    store.add(many(1, 9));
    store.add(many(0, 1));
    expect(store.trace("big").map(({ spanId }) => spanId)).toContain("0");
    expect([store.size.spans, store.state("big")!.dropped]).toEqual([5, 4]);
  });

  it("stays marked as a part if it continues after the store has dropped it", () => {
    const store = new TraceStore({ maxSpans: 4 });
    store.add([span("long", "1"), span("long", "2")]);
    for (const id of ["a", "b", "c"]) store.add([span(id, "1")]);
    store.add([span("long", "3", { parentSpanId: "1" })]);
    expect(store.state("long")!.dropped).toBe(2);
    expect([...store.summaries()][0]).toMatchObject({ traceId: "long", dropped: 2 });
  });
});

describe("two spans with one id, as in Zipkin", () => {
  const id = "00f067aa0ba902b7";
  const client = span("a", id, { kind: "client", service: "caller" });
  const server = span("a", id, { kind: "server", service: "callee" });
  const child = span("a", "1111111111111111", { parentSpanId: id, service: "callee" });

  it.each([
    ["the CLIENT span first", [client, server, child]],
    ["the SERVER span first", [child, server, client]],
    ["both twice", [client, server, child, client, server]],
  ])("are both kept, with the children of the SERVER span below it: %s", (_order, spans) => {
    const store = new TraceStore();
    for (const each of spans) store.add([{ ...each }]);
    const all = store.trace("a");
    const received = all.find(({ kind }) => kind === "server")!;
    expect(all).toHaveLength(3);
    expect(received).toMatchObject({ parentSpanId: id, service: "callee" });
    expect(received.spanId).toMatch(/^[\da-f]{16}$/);
    expect(all.find(({ kind }) => kind === "internal")!.parentSpanId).toBe(received.spanId);
  });
});

it("counts the bytes of attribute keys, scope names and wide characters", () => {
  const size = (given: object): number => {
    const store = new TraceStore();
    store.add([span("a", "1", given)]);
    return store.size.bytes;
  };
  expect(size({ attributes: { ["k".repeat(10_000)]: "v" } })).toBeGreaterThan(10_000);
  expect(size({ scope: "s".repeat(10_000) })).toBeGreaterThan(10_000);
  expect(size({ attributes: { text: "\u{4e16}".repeat(10_000) } })).toBeGreaterThan(20_000);
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
