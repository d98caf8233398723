import { describe, expect, it } from "vitest";

import { spanTree } from "../span-tree.ts";
import { trace } from "./trace.fixture.ts";
import { visibleRows } from "./visible-rows.ts";

const rows = spanTree(trace({ a: [[0, 9]], "a/b": [[1, 8]], "a/b/c": [[2, 7]], "a/d": [[3, 6]], e: [[5, 9]] }));
const rowsWith = (...collapsed: string[]) =>
  visibleRows(rows, new Set(collapsed)).map(({ span, below, isCollapsed }) => [span.name, below, isCollapsed]);

describe("the visible rows", () => {
  it("have the number of spans below them, at any depth", () => {
    expect(rowsWith()).toEqual([
      ["a", 3, false],
      ["b", 1, false],
      ["c", 0, false],
      ["d", 0, false],
      ["e", 0, false],
    ]);
  });

  it("do not include the descendants of a collapsed span", () => {
    expect(rowsWith("id-0").map(([name]) => name)).toEqual(["a", "e"]);
    expect(rowsWith("id-1").map(([name]) => name)).toEqual(["a", "b", "d", "e"]);
  });

  it("do not mark a span without descendants as collapsed", () => {
    expect(rowsWith("id-2")[2]).toEqual(["c", 0, false]);
  });
});
