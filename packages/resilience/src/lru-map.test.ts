import { expect, it } from "vitest";

import { LruMap } from "./lru-map.ts";

it("makes one value for each key", () => {
  let made = 0;
  const values = new LruMap<string, number>(2, () => (made += 1));

  expect([values.get("a"), values.get("b"), values.get("a"), values.get("b")]).toEqual([1, 2, 1, 2]);
});

it("forgets the key that was not used for longest, and no other", () => {
  let made = 0;
  const values = new LruMap<string, number>(2, () => (made += 1));
  values.get("a");
  values.get("b");
  values.get("a");
  values.get("c");

  expect([values.get("a"), values.get("c"), values.get("b")]).toEqual([1, 3, 4]);
});

it("keeps a value that is undefined", () => {
  let made = 0;
  const values = new LruMap<string, undefined>(2, () => void (made += 1));
  values.get("a");
  values.get("a");

  expect(made).toBe(1);
});
