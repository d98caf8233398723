import { describe, expect, it } from "vitest";

import { compareTraces } from "./comparison.ts";
import { trace } from "./trace.fixture.ts";

const told = (...sides: Parameters<typeof compareTraces>) =>
  compareTraces(...sides).map(({ depth, name, before, after, difference }) => [
    depth,
    name,
    before && before.end - before.start,
    after && after.end - after.start,
    difference,
  ]);

describe("a comparison", () => {
  it("puts spans of the same path side by side, with what is only in one of them", () => {
    const before = trace({ a: [[0, 90]], "a/b": [[1, 21]], "a/c": [[30, 40]] });
    const after = trace({ a: [[5, 125]], "a/b": [[6, 16]], "a/d": [[7, 9]] });
    expect(told(before, after)).toEqual([
      [0, "a", 90, 120, 30],
      [1, "b", 20, 10, -10],
      [1, "c", 10, undefined, undefined],
      [1, "d", undefined, 2, undefined],
    ]);
  });

  it("tells spans of one path apart by their order", () => {
    const twice = { a: [[0, 90]], "a/b": [[1, 11]] } as const;
    const before = trace({ ...twice, "a/x": [[20, 25], { service: "b", name: "b" }] });
    expect(told(before, trace(twice))).toEqual([
      [0, "a", 90, 90, 0],
      [1, "b", 10, 10, 0],
      [1, "b", 5, undefined, undefined],
    ]);
  });

  it("does not take a client span for the server's of the same name", () => {
    const before = trace({ a: [[0, 1], { kind: "client" }] });
    expect(told(before, trace({ a: [[0, 1]] }))).toHaveLength(2);
  });

  it("gets to the bottom of traces deeper than a stack", () => {
    const paths = Array.from({ length: 20_000 }, (_, index) => index);
    const [root] = trace({ a: [[0, 1]] });
    const deep = paths.map((index) => ({
      ...root!,
      spanId: `${index}`,
      parentSpanId: index === 0 ? undefined : `${index - 1}`,
    }));
    expect(compareTraces(deep, deep)).toHaveLength(20_000);
  });
});
