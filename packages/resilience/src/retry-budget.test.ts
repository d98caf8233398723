import { recordMetrics } from "@throughline/testing/metrics";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { RetryBudget } from "./retry-budget.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** The number of retries that the budget permits. */
function retries(budget: RetryBudget): number {
  let count = 0;
  while (count < 10_000 && budget.withdraw()) count += 1;
  return count;
}

it("permits a fifth of all calls, and ten a second in addition", () => {
  const budget = new RetryBudget();
  expect(retries(budget)).toBe(100);
  for (let index = 0; index < 1000; index++) budget.deposit();
  expect(retries(budget)).toBe(200);
  expect(retries(budget)).toBe(0);
});

it("permits more after time has passed", () => {
  const budget = new RetryBudget({ ratio: 0, minPerSecond: 1, window: "10s" });
  expect(retries(budget)).toBe(10);
  vi.advanceTimersByTime(11_000);
  expect(retries(budget)).toBe(10);
});

it("never exceeds its share within the window", () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 700 }), calls: fc.nat(20), retries: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = new RetryBudget({ ratio: 0.5, minPerSecond: 2, window: "1s" });
      const calls: number[] = [];
      const made: number[] = [];
      for (const { wait, calls: count, retries } of steps) {
        vi.advanceTimersByTime(wait);
        const now = performance.now();
        for (let index = 0; index < count; index++) {
          budget.deposit();
          calls.push(now);
        }
        const lately = (times: number[], ms: number): number => times.filter((time) => time > now - ms).length;
        for (let index = 0; index < retries; index++) {
          if (!budget.withdraw()) continue;
          made.push(now);
          expect(lately(made, 900)).toBeLessThanOrEqual(2 + 0.5 * lately(calls, 1000.001));
        }
      }
    }),
  );
});

it("counts the retries that it permits and refuses, by its name", async () => {
  using recorded = recordMetrics();
  const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.2, name: "http://stock:8080" });
  expect([budget.withdraw(), budget.withdraw(), budget.withdraw()]).toEqual([true, true, false]);
  new RetryBudget({ ratio: 0, minPerSecond: 0 }).withdraw();
  expect(await recorded.series("throughline.retries")).toMatchObject([
    {
      attributes: { "throughline.retry.decision": "permitted", "throughline.retry.budget": "http://stock:8080" },
      value: 2,
    },
    {
      attributes: { "throughline.retry.decision": "refused", "throughline.retry.budget": "http://stock:8080" },
      value: 1,
    },
    { attributes: { "throughline.retry.decision": "refused" }, value: 1 },
  ]);
});

it.each([
  [{ ratio: -1 }, /'ratio' must be zero or more; received number -1/],
  [{ minPerSecond: Infinity }, /'minPerSecond' must be zero or more/],
  [{ window: 0 }, /'window' must be more than zero/],
  [{ name: 8080 }, /'name' must be a string; received number 8080/],
  [{ rate: 1 }, /there is no option 'rate'/],
])("rejects the options %j", (options, message) => {
  expect(() => new RetryBudget(options as object)).toThrow(message);
});
