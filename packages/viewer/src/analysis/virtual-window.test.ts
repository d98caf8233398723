import { describe, expect, it } from "vitest";

import { scrollTo, virtualWindow } from "./virtual-window.ts";

describe("the virtual window", () => {
  it.each([
    ["at the top", 0, 10_000, { first: 0, end: 30 }],
    ["in the middle", 3000, 10_000, { first: 90, end: 130 }],
    ["at the end", 299_400, 10_000, { first: 9970, end: 10_000 }],
    ["with fewer rows than fit", 0, 5, { first: 0, end: 5 }],
    ["scrolled beyond the last row", 9000, 5, { first: 5, end: 5 }],
    ["without rows", 0, 0, { first: 0, end: 0 }],
  ])("%s has the rows in view and a few more", (_where, top, count, expected) => {
    expect(virtualWindow(top, 600, 30, count)).toEqual(expected);
  });

  it.each([
    ["nowhere if the row is in view", 5, 100, 100],
    ["up to a row above", 1, 100, 30],
    ["down to a row below, no further than needed", 30, 100, 330],
  ])("scrolls %s", (_how, row, top, expected) => {
    expect(scrollTo(row, top, 600, 30)).toBe(expected);
  });
});
