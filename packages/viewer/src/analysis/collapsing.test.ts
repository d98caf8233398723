import { describe, expect, it } from "vitest";

import { spanTree } from "../span-tree.ts";
import { shownRows } from "./collapsing.ts";
import { trace } from "./trace.fixture.ts";

const rows = spanTree(trace({ a: [[0, 9]], "a/b": [[1, 8]], "a/b/c": [[2, 7]], "a/d": [[3, 6]], e: [[5, 9]] }));
const told = (...collapsed: string[]) =>
  shownRows(rows, new Set(collapsed)).map(({ span, below, isCollapsed }) => [span.name, below, isCollapsed]);

describe("collapsing", () => {
  it("counts what is below each, at any depth", () => {
    expect(told()).toEqual([
      ["a", 3, false],
      ["b", 1, false],
      ["c", 0, false],
      ["d", 0, false],
      ["e", 0, false],
    ]);
  });

  it("hides all that is below, and nothing beside it", () => {
    expect(told("id-0").map(([name]) => name)).toEqual(["a", "e"]);
    expect(told("id-1").map(([name]) => name)).toEqual(["a", "b", "d", "e"]);
  });

  it("does not collapse what has nothing below it", () => {
    expect(told("id-2")[2]).toEqual(["c", 0, false]);
  });
});
