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
  it("reach from the start of a span to its deadline, and say how much was used", () => {
    const band = bandsOf({ a: [[100, 150], { budget: 200, source: "maxTimeout" }] })("a");
    expect(band).toMatchObject({ at: 300, budget: 200, used: 0.25, source: "maxTimeout", cut: undefined });
  });

  it("are there only for spans that carry a budget", () => {
    expect(bandsOf({ a: [[0, 1]] })("a")).toBeUndefined();
  });

  it("say that more than all was used of a deadline that passed, and all of one that had passed before", () => {
    expect(bandsOf({ a: [[0, 30], { budget: 20 }] })("a")!.used).toBe(1.5);
    expect(bandsOf({ a: [[0, 30], { budget: 0 }] })("a")!.used).toBe(1);
  });

  it("tell where a budget was cut, from what to what and by whom", () => {
    const band = bandsOf({ a: [[0, 90], { budget: 1500 }], "a/b": [[20, 80], { budget: 300, source: "maxTimeout" }] });
    expect(band("b")!.cut).toEqual({ from: 1480, to: 300, by: "maxTimeout", isReserve: false });
    expect(band("b")!.above).toBe(band("a"));
  });

  it("look past spans in between that carry none", () => {
    const band = bandsOf({
      a: [[0, 90], { budget: 1500 }],
      "a/b": [[10, 80]],
      "a/b/c": [[20, 80], { budget: 300, kind: "client" }],
    });
    expect(band("c")!.cut).toEqual({ from: 1480, to: 300, by: "c", isReserve: false });
  });

  it("take no rounding, and no way between two machines, for a cut", () => {
    const band = bandsOf({ a: [[0, 90], { budget: 1500 }], "a/b": [[20, 80], { budget: 1478.5 }] });
    expect(band("b")!.cut).toBeUndefined();
  });

  it("take no clock that is behind for a cut: what arrived is what was sent", () => {
    const band = bandsOf({ a: [[0, 90], { budget: 1500 }], "a/b": [[-200, -140], { budget: 1499 }] });
    expect(band("b")!.cut).toBeUndefined();
  });

  it.each([
    [1000, 971, true],
    [1000, 960, true],
    [1000, 890, false],
    [50, 22, true],
  ])("know what a caller keeps to answer with: of %i ms it sends %i", (left, sent, isReserve) => {
    const band = bandsOf({ a: [[0, 9], { budget: left }], "a/b": [[0, 8], { budget: sent, kind: "client" }] });
    expect(band("b")!.cut!.isReserve).toBe(isReserve);
  });

  it("know where the deadline that held was set", () => {
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
