import { expect, it } from "vitest";

import { LruMap } from "./lru-map.ts";

it("creates one value for each key", () => {
  let created = 0;
  const values = new LruMap<string, number>(2, () => (created += 1));

  expect([values.get("a"), values.get("b"), values.get("a"), values.get("b")]).toEqual([1, 2, 1, 2]);
});

it("evicts the least recently used key", () => {
  let created = 0;
  const values = new LruMap<string, number>(2, () => (created += 1));
  values.get("a");
  values.get("b");
  values.get("a");
  values.get("c");

  expect([values.get("a"), values.get("c"), values.get("b")]).toEqual([1, 3, 4]);
});

it("caches a value that is undefined", () => {
  let created = 0;
  const values = new LruMap<string, undefined>(2, () => void (created += 1));
  values.get("a");
  values.get("a");

  expect(created).toBe(1);
});
