import { describe, expect, it } from "vitest";

import { scrollTo, virtualWindow } from "./virtual-window.ts";

describe("a window on many rows", () => {
  it.each([
    ["at the top", 0, 10_000, { first: 0, end: 30 }],
    ["in the middle", 3000, 10_000, { first: 90, end: 130 }],
    ["at the end", 299_400, 10_000, { first: 9970, end: 10_000 }],
    ["of fewer rows than fit", 0, 5, { first: 0, end: 5 }],
    ["scrolled beyond rows that are gone", 9000, 5, { first: 5, end: 5 }],
    ["on none", 0, 0, { first: 0, end: 0 }],
  ])("%s shows what is in view, and a few more", (_where, top, count, expected) => {
    expect(virtualWindow(top, 600, 30, count)).toEqual(expected);
  });

  it.each([
    ["not at all to a row in view", 5, 100, 100],
    ["up to one above", 1, 100, 30],
    ["down to one below, no further than needed", 30, 100, 330],
  ])("scrolls %s", (_how, row, top, expected) => {
    expect(scrollTo(row, top, 600, 30)).toBe(expected);
  });
});
