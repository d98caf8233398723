import fc from "fast-check";
import { expect, it } from "vitest";

import { Percentile } from "./percentile.ts";

it("is undefined with fewer than 16 values", () => {
  const percentile = new Percentile(0.5);
  for (let value = 1; value < 16; value++) percentile.add(value);
  expect(percentile.value).toBeUndefined();
  percentile.add(16);
  expect(percentile.value).toBe(9);
});

it("has the given share of the latest values below it", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.array(fc.integer(), { minLength: 16, maxLength: 300 }),
      (share, values) => {
        const percentile = new Percentile(share);
        for (const value of values) percentile.add(value);
        const latest = values.slice(-128);
        const below = latest.filter((value) => value < percentile.value!).length;
        const notAbove = latest.filter((value) => value <= percentile.value!).length;
        expect(below).toBeLessThanOrEqual(share * latest.length);
        expect(notAbove).toBeGreaterThanOrEqual(share * latest.length);
      },
    ),
  );
});

it.each([0, 1, 95, Number.NaN])("rejects %d as a share", (share) => {
  expect(() => new Percentile(share)).toThrow(/'share' must be between 0 and 1/);
});
