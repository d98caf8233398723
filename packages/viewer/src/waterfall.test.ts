import { expect, it } from "vitest";

import { spanTree } from "./span-tree.ts";
import type { ViewedSpan } from "./span.ts";
import { waterfall } from "./waterfall.ts";

function span(service: string, name: string, start: number, end: number, more: Partial<ViewedSpan> = {}): ViewedSpan {
  return {
    traceId: "t",
    spanId: `${service}-${name}`,
    parentSpanId: undefined,
    service,
    name,
    kind: "server",
    start,
    end,
    attributes: {},
    failed: false,
    ...more,
  };
}

it("draws children below their parent, with the budget on arrival and what ended each span", () => {
  const spans = [
    span("reviews", "GET", 1_020, 1_050, {
      parentSpanId: "gateway-call",
      attributes: { "throughline.deadline.budget_ms": 68.4, "throughline.ended_by": "client" },
    }),
    span("gateway", "GET /", 1_000, 1_100, {
      attributes: {
        "throughline.deadline.budget_ms": 100,
        "throughline.ended_by": "deadline",
        "http.response.status_code": 504,
      },
    }),
    span("gateway", "call", 1_010, 1_060, {
      parentSpanId: "gateway-GET /",
      kind: "client",
      attributes: { "http.response.status_code": 200, "throughline.ended_by": "response" },
    }),
  ];

  expect(waterfall(spans, { width: 80 }).split("\n")).toEqual([
    "service  span        start      took  budget  ended by",
    "gateway  GET /      0.0 ms  100.0 ms  100 ms  deadline (504)  ██████████████████",
    "gateway    → call  10.0 ms   50.0 ms       -  200              ─────────",
    "reviews      GET   20.0 ms   30.0 ms   68 ms  client             █████",
  ]);
});

it("draws a span with an unknown parent as a root", () => {
  expect(waterfall([span("a", "x", 0, 1, { parentSpanId: "elsewhere" })])).toMatch(/\na +x /);
});

it("draws every span of a cycle of parents exactly once", () => {
  const spans = [
    span("a", "x", 0, 1, { parentSpanId: "b-y" }),
    span("b", "y", 1, 2, { parentSpanId: "a-x" }),
    span("c", "z", 2, 3, { parentSpanId: "c-z" }),
  ];
  expect(
    waterfall(spans)
      .split("\n")
      .slice(1)
      .map((line) => line[0]),
  ).toEqual(["a", "b", "c"]);
});

it("draws traces of 20,000 levels and of 200,000 spans", () => {
  const deep = Array.from({ length: 20_000 }, (_, i) =>
    span("s", `${i}`, i, i + 1, { parentSpanId: i === 0 ? undefined : `s-${i - 1}` }),
  );
  expect(waterfall(deep.slice(0, 3))).toContain("    2");
  expect(spanTree(deep).at(-1)!.depth).toBe(19_999);
  const wide = Array.from({ length: 200_000 }, (_, i) => span("s", `${i}`, i, i + 1));
  expect(waterfall(wide).split("\n")).toHaveLength(200_001);
});

it("replaces control characters in names", () => {
  expect(waterfall([span("a", "x\u001b[2J\ny", 0, 1)])).not.toMatch(/\u001b|\ny/);
});

it("returns a placeholder for a trace without spans", () => {
  expect(waterfall([])).toBe("(no spans)");
});

it("adds colors only if the option is set", () => {
  expect(waterfall([span("a", "x", 0, 1)])).not.toContain("\u001b[");
  expect(waterfall([span("a", "x", 0, 1)], { color: true })).toContain("\u001b[");
});
