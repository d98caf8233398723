import { describe, expect, it } from "vitest";

import type { ServiceGraph } from "../api.ts";
import { layOut } from "./graph-layout.ts";
import { callLines } from "./graph-lines.ts";

const FIGURES = { count: 1, failed: 0, p50: 1, p95: 2 };

function graph(...calls: [string, string][]): ServiceGraph {
  return {
    services: [...new Set(calls.flat())].map((name) => ({ name, ...FIGURES })),
    calls: calls.map(([from, to]) => ({ from, to, ...FIGURES })),
  };
}

const SPACING = { across: 100, down: 40 };
const places = (...calls: [string, string][]) =>
  Object.fromEntries(layOut(graph(...calls), SPACING).nodes.map(({ node, x, y }) => [node.name, [x, y]]));

describe("the layout of services", () => {
  it("places callers left of their callees, by the longest path", () => {
    expect(places(["a", "b"], ["b", "c"], ["a", "c"])).toEqual({ a: [50, 20], b: [150, 20], c: [250, 20] });
  });

  it("centers the services of a layer vertically, near their callers", () => {
    const placed = places(["a", "y"], ["a", "x"], ["x", "low"], ["y", "high"]);
    expect(placed).toEqual({ a: [50, 40], x: [150, 20], y: [150, 60], low: [250, 20], high: [250, 60] });
  });

  it("handles services that call each other or themselves", () => {
    const { nodes, calls } = layOut(graph(["a", "b"], ["b", "a"], ["b", "b"]), SPACING);
    expect(nodes.map(({ node, x }) => [node.name, x])).toEqual([
      ["a", 50],
      ["b", 150],
    ]);
    expect(calls.map(({ call }) => `${call.from} ${call.to}`)).toEqual(["a b", "b a"]);
  });

  it("is empty without services", () => {
    expect(layOut({ services: [], calls: [] }, SPACING)).toEqual({ nodes: [], calls: [], width: 0, height: 0 });
  });
});

describe("the lines between services", () => {
  const box = { width: 60, height: 20 };

  it("lead from the right side of a box to the left side of the next", () => {
    const { calls } = layOut(graph(["a", "b"]), SPACING);
    const [line] = callLines(calls, box);
    expect(line!.path).toBe("M80 20 C99 20 99 20 118 20");
    expect(line!.label).toEqual({ x: 99, y: 20 });
  });

  it("have labels that do not overlap where lines cross", () => {
    const { calls } = layOut(graph(["a", "x"], ["a", "y"], ["b", "x"], ["b", "y"]), { across: 400, down: 120 });
    const labels = callLines(calls, box).map(({ label }) => label);
    for (const [index, label] of labels.entries()) {
      for (const other of labels.slice(index + 1)) {
        expect(Math.abs(label.x - other.x) >= 78 || Math.abs(label.y - other.y) >= 15).toBe(true);
      }
    }
  });
});
