import { describe, expect, it } from "vitest";

import { spanTree } from "../span-tree.ts";
import { deadlineBands, originOf } from "./deadline-band.ts";
import { trace } from "./trace.fixture.ts";

const bandsOf = (...given: Parameters<typeof trace>) => {
  const spans = trace(...given);
  const bands = deadlineBands(spanTree(spans));
  return (name: string) => bands.get(spans.find((each) => each.name === name)!.spanId);
};

describe("the bands of deadlines", () => {
  it("reach from the start of a span to its deadline, with the used share", () => {
    const band = bandsOf({ a: [[100, 150], { budget: 200, source: "maxTimeout" }] })("a");
    expect(band).toMatchObject({ at: 300, budget: 200, used: 0.25, source: "maxTimeout", cut: undefined });
  });

  it("exist only for spans with a budget", () => {
    expect(bandsOf({ a: [[0, 1]] })("a")).toBeUndefined();
  });

  it("have a used share above 1 if the deadline passed, and 1 if the budget was 0", () => {
    expect(bandsOf({ a: [[0, 30], { budget: 20 }] })("a")!.used).toBe(1.5);
    expect(bandsOf({ a: [[0, 30], { budget: 0 }] })("a")!.used).toBe(1);
  });

  it("contain the cut of a budget: from, to and its source", () => {
    const band = bandsOf({ a: [[0, 90], { budget: 1500 }], "a/b": [[20, 80], { budget: 300, source: "maxTimeout" }] });
    expect(band("b")!.cut).toEqual({ from: 1480, to: 300, by: "maxTimeout", isReserve: false });
    expect(band("b")!.above).toBe(band("a"));
  });

  it("skip ancestors without a budget", () => {
    const band = bandsOf({
      a: [[0, 90], { budget: 1500 }],
      "a/b": [[10, 80]],
      "a/b/c": [[20, 80], { budget: 300, kind: "client" }],
    });
    expect(band("c")!.cut).toEqual({ from: 1480, to: 300, by: "c", isReserve: false });
  });

  it("do not report rounding or network time as a cut", () => {
    const band = bandsOf({ a: [[0, 90], { budget: 1500 }], "a/b": [[20, 80], { budget: 1478.5 }] });
    expect(band("b")!.cut).toBeUndefined();
  });

  it("do not report clock skew as a cut", () => {
    const band = bandsOf({ a: [[0, 90], { budget: 1500 }], "a/b": [[-200, -140], { budget: 1499 }] });
    expect(band("b")!.cut).toBeUndefined();
  });

  it.each([
    [1000, 971, true],
    [1000, 960, true],
    [1000, 890, false],
    [50, 22, true],
  ])("recognize the time a caller reserves for its own answer: %i ms left, %i ms sent", (left, sent, isReserve) => {
    const band = bandsOf({ a: [[0, 9], { budget: left }], "a/b": [[0, 8], { budget: sent, kind: "client" }] });
    expect(band("b")!.cut!.isReserve).toBe(isReserve);
  });

  it("lead to the hop that set the effective deadline", () => {
    const band = bandsOf({
      a: [[0, 90], { budget: 1500 }],
      "a/b": [[20, 80], { budget: 300 }],
      "a/b/c": [[21, 80], { budget: 275, kind: "client" }],
      "a/b/c/d": [[22, 80], { budget: 275 }],
    });
    expect(originOf(band("d")!)).toBe(band("b"));
    expect(originOf(band("a")!)).toBe(band("a"));
  });
});
