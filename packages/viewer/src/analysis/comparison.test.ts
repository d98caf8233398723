import { describe, expect, it } from "vitest";

import { compareTraces } from "./comparison.ts";
import { trace } from "./trace.fixture.ts";

const compared = (...sides: Parameters<typeof compareTraces>) =>
  compareTraces(...sides).map(({ depth, name, before, after, difference }) => [
    depth,
    name,
    before && before.end - before.start,
    after && after.end - after.start,
    difference,
  ]);

describe("a comparison", () => {
  it("pairs spans of the same path, and lists spans that only one trace has", () => {
    const before = trace({ a: [[0, 90]], "a/b": [[1, 21]], "a/c": [[30, 40]] });
    const after = trace({ a: [[5, 125]], "a/b": [[6, 16]], "a/d": [[7, 9]] });
    expect(compared(before, after)).toEqual([
      [0, "a", 90, 120, 30],
      [1, "b", 20, 10, -10],
      [1, "c", 10, undefined, undefined],
      [1, "d", undefined, 2, undefined],
    ]);
  });

  it("pairs parallel calls by their target, in whatever order they start", () => {
    const call = (url: string): object => ({
      service: "a",
      name: "GET",
      kind: "client",
      attributes: { "url.full": url },
    });
    const before = trace({ a: [[0, 90]], "a/x": [[1, 11], call("/x")], "a/y": [[2, 52], call("/y")] });
    const after = trace({ a: [[0, 90]], "a/y": [[1, 51], call("/y")], "a/x": [[2, 12], call("/x")] });
    expect(compared(before, after).map((row) => row[4])).toEqual([0, 0, 0]);
  });

  it("pairs parallel calls of one target by their duration", () => {
    const call = { service: "a", name: "GET", kind: "client" } as const;
    const before = trace({ a: [[0, 90]], "a/x": [[1, 11], call], "a/y": [[2, 52], call] });
    const after = trace({ a: [[0, 90]], "a/y": [[1, 51], call], "a/x": [[2, 12], call] });
    expect(compared(before, after).map((row) => row[4])).toEqual([0, 0, 0]);
  });

  it("leaves the shorter of two equal spans without a partner", () => {
    const twice = { a: [[0, 90]], "a/b": [[1, 11]] } as const;
    const before = trace({ ...twice, "a/x": [[20, 25], { service: "b", name: "b" }] });
    expect(compared(before, trace(twice))).toEqual([
      [0, "a", 90, 90, 0],
      [1, "b", 10, 10, 0],
      [1, "b", 5, undefined, undefined],
    ]);
  });

  it("does not pair a client span with a server span of the same name", () => {
    const before = trace({ a: [[0, 1], { kind: "client" }] });
    expect(compared(before, trace({ a: [[0, 1]] }))).toHaveLength(2);
  });

  it("compares traces deeper than the call stack", () => {
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
