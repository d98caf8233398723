import { describe, expect, it } from "vitest";

import { spanTree } from "../span-tree.ts";
import { clockShifts, correctClocks } from "./clock-skew.ts";
import { SpanSearch } from "./span-search.ts";
import { criticalPath, selfTimes } from "./span-times.ts";
import { traceWarnings } from "./trace-warnings.ts";
import { trace } from "./trace.fixture.ts";
import { ancestorsOf, collapsedFrom, visibleRows } from "./visible-rows.ts";

const treeOf = (...[specs]: Parameters<typeof trace>) => spanTree(trace(specs));
const namesOf = (rows: ReturnType<typeof spanTree>, ids: Iterable<string>) =>
  [...ids].map((id) => rows.find(({ span }) => span.spanId === id)!.span.name);

describe("the own time of a span", () => {
  it("is without its children, and counts parallel children once", () => {
    const rows = treeOf({
      a: [[0, 100]],
      "a/b": [[10, 50]],
      "a/c": [[30, 60]],
      "a/d": [[90, 120]],
      "a/b/e": [[10, 20]],
    });
    const times = selfTimes(rows);
    expect(rows.map(({ span }) => [span.name, times.get(span.spanId)])).toEqual([
      ["a", 40],
      ["b", 30],
      ["e", 10],
      ["c", 30],
      ["d", 30],
    ]);
  });
});

describe("the critical path", () => {
  it("leads back from the end through the children that ended last", () => {
    const rows = treeOf({
      a: [[0, 100]],
      "a/first": [[5, 40]],
      "a/parallel": [[10, 30]],
      "a/last": [[45, 95]],
      "a/last/inner": [[50, 90]],
      "a/late": [[50, 130]],
    });
    expect(namesOf(rows, criticalPath(rows)).sort()).toEqual(["a", "first", "inner", "last"]);
  });
});

describe("clocks that differ", () => {
  const call = (start: number, end: number) =>
    treeOf({
      a: [[1000, 1100]],
      "a/c": [[1010, 1090], { kind: "client", service: "a" }],
      "a/c/b": [[start, end]],
      "a/c/b/d": [[start + 5, end - 5], { kind: "internal", service: "b" }],
    });

  it("are corrected so that the SERVER span is in the middle of its call", () => {
    const rows = call(500, 540);
    expect([...clockShifts(rows).values()]).toEqual([530]);
    expect(correctClocks(rows).map(({ start, end }) => [start, end])).toEqual([
      [1000, 1100],
      [1010, 1090],
      [1030, 1070],
      [1035, 1065],
    ]);
  });

  it("are not suspected where a span only ends later than its caller", () => {
    expect(clockShifts(call(1020, 1200)).size).toBe(0);
  });
});

it("warns of what is missing or doubtful", () => {
  const spans = trace({ a: [[0, 9]], b: [[1, 2]], c: [[5, 3]], d: [[4, 4]] });
  const rows = spanTree([
    spans[0]!,
    { ...spans[1]!, parentSpanId: "gone" },
    spans[2]!,
    { ...spans[3]!, isUnfinished: true },
  ]);
  expect(traceWarnings(rows, { dropped: 1200, shifts: new Map([["id-0", -40]]) })).toEqual([
    { text: "1,200 spans of this trace dropped by the viewer's limits", spanIds: [] },
    { text: "1 span with a missing parent", spanIds: ["id-1"] },
    { text: "1 span without an end", spanIds: ["id-3"] },
    { text: "1 span with an end before the start", spanIds: ["id-2"] },
    { text: "clocks differ by up to 40 ms: 1 call affected", spanIds: ["id-0"] },
  ]);
  expect(traceWarnings(spanTree(trace({ a: [[0, 9]] })))).toEqual([]);
});

describe("the search in a trace", () => {
  const spans = trace({
    a: [[0, 9], { attributes: { "http.route": "/Items", list: ["x", "y"] } }],
    b: [[1, 2], { failed: true, statusMessage: "Timed out" }],
    c: [[2, 3], { events: [{ name: "exception", time: 2, attributes: { "exception.type": "RangeError" } }] }],
  });
  const search = new SpanSearch(spans);
  const found = (text: string, more: object = {}) => search.find({ text, ...more }).map(({ name }) => name);

  it.each([
    ["/items", ["a"]],
    ["http.route=/items", ["a"]],
    ["timed OUT", ["b"]],
    ["rangeerror", ["c"]],
    ["id-1", ["b"]],
    ["", []],
    ["nowhere", []],
  ])("finds %s", (text, names) => {
    expect(found(text)).toEqual(names);
  });

  it("is narrowed by service and by failure", () => {
    expect([found("", { service: "c" }), found("", { onlyErrors: true })]).toEqual([["c"], ["b"]]);
  });

  it("prepares its texts in parts", () => {
    const other = new SpanSearch(spans);
    expect([other.prepare(2), other.prepare(2), other.find({ text: "rangeerror" }).length]).toEqual([true, false, 1]);
  });
});

describe("rows", () => {
  const queries = Object.fromEntries(
    Array.from({ length: 7 }, (_, index) => [
      `a/q${index}`,
      [[index, index + 1], { name: "SELECT", service: "a", kind: "client", failed: index === 3 }],
    ]),
  ) as Parameters<typeof trace>[0];
  const rows = treeOf({ a: [[0, 9]], ...queries, "a/z": [[8, 9]], "a/z/y": [[8, 9], { failed: true }] });

  it("of equal siblings become one", () => {
    const grouped = visibleRows(rows, new Set(), new Set());
    expect(grouped.map(({ span, run }) => [span.name, run])).toEqual([
      ["a", undefined],
      ["SELECT", { count: 7, failed: 1, end: 7 }],
      ["z", undefined],
      ["y", undefined],
    ]);
    expect(visibleRows(rows, new Set(), new Set(["id-1"]))).toHaveLength(10);
    expect(visibleRows(rows, new Set())).toHaveLength(10);
  });

  it("that are collapsed count the errors below", () => {
    expect(visibleRows(rows, new Set(["id-0"]))).toMatchObject([{ isCollapsed: true, failedBelow: 2 }]);
  });

  it("are collapsed to a number of levels, and know their ancestors", () => {
    expect([...collapsedFrom(rows, 1)]).toEqual(["id-0", "id-8"]);
    expect(visibleRows(rows, collapsedFrom(rows, 2)).map(({ span }) => span.name)).not.toContain("y");
    expect(ancestorsOf(rows, "id-9")).toEqual(["id-8", "id-0"]);
  });
});
