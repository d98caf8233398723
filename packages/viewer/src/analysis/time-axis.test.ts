import { describe, expect, it } from "vitest";

import { spanTree } from "../span-tree.ts";
import { deadlineBands } from "./deadline-band.ts";
import { ticks, timeRange } from "./time-axis.ts";
import { trace } from "./trace.fixture.ts";

describe("the range of time", () => {
  it.each([
    ["includes a deadline shortly after the end", 120, 220],
    ["excludes a deadline far after the end", 1000, 200],
    ["includes the end of the last span", 20, 200],
  ])("%s", (_what, budget, to) => {
    const spans = trace({ a: [[100, 200], { budget }] });
    expect(timeRange(spans, deadlineBands(spanTree(spans)).values())).toEqual({ from: 100, to });
  });

  it("is not empty for an empty trace or a trace without duration", () => {
    expect(timeRange([], [])).toEqual({ from: 0, to: 1 });
    const { from, to } = timeRange(trace({ a: [[5, 5]] }), []);
    expect(to).toBeGreaterThan(from);
  });
});

describe("ticks", () => {
  it.each([
    [83, [0, 20, 40, 60, 80]],
    [400, [0, 50, 100, 150, 200, 250, 300, 350, 400]],
    [0.9, [0, 0.2, 0.4, 0.6, 0.8]],
    [0, [0]],
  ])("of %f ms are round", (took, expected) => {
    const actual = ticks(took, 0, took === 400 ? 8 : 5);
    expect(actual.map((each) => Number(each.toFixed(6)))).toEqual(expected);
  });

  it.each([
    ["seconds", 40_000, 10_000],
    ["minutes", 55 * 60_000, 15 * 60_000],
    ["hours", 11_160_000, 3_600_000],
    ["days", 9 * 86_400_000, 2 * 86_400_000],
  ])("of a long view are whole %s", (_unit, took, step) => {
    expect(ticks(took, 0, 5).slice(0, 3)).toEqual([0, step, 2 * step]);
    for (let count = 1; count <= 8; count++) expect(ticks(took, 0, count).length).toBeLessThanOrEqual(count + 1);
  });

  it("count from the start of the trace, also if zoomed in", () => {
    expect(ticks(50, 127, 5)).toEqual([130, 140, 150, 160, 170]);
  });
});
