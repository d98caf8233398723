import { describe, expect, it } from "vitest";

import { ServiceColors } from "./service-colors.ts";

const hues = (...batches: string[][]): ReadonlyMap<string, number> => {
  const colors = new ServiceColors();
  for (const batch of batches) colors.add(batch);
  return new Map(batches.flat().map((name) => [name, colors.hue(name)]));
};

describe("the colors of services", () => {
  it("differ even if there are more services than hues", () => {
    const names = Array.from({ length: 24 }, (_, index) => `service-${index}`);
    expect(new Set(hues(names).values()).size).toBe(24);
  });

  it("do not depend on the order in which services arrive", () => {
    const sorted = (all: ReadonlyMap<string, number>) => [...all].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(sorted(hues(["search", "pricing", "gateway"]))).toEqual(sorted(hues(["gateway", "search", "pricing"])));
  });

  it("do not change when services are added", () => {
    const before = hues(["search"]).get("search");
    expect(hues(["search"], ["a", "b", "c", "d", "e", "f", "g"]).get("search")).toBe(before);
  });
});
