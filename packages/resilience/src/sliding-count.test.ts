import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { SlidingCount } from "./sliding-count.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

it("counts events within the window", () => {
  const count = new SlidingCount(1000);
  count.add();
  count.add(2);
  expect(count.total).toBe(3);
  vi.advanceTimersByTime(850);
  expect(count.total).toBe(3);
  vi.advanceTimersByTime(200);
  expect(count.total).toBe(0);
});

it("agrees with a list of all events, to a tenth of the window", () => {
  const steps = fc.array(fc.record({ wait: fc.integer({ min: 0, max: 1500 }), add: fc.integer({ min: 0, max: 3 }) }));
  fc.assert(
    fc.property(steps, (steps) => {
      const count = new SlidingCount(1000);
      const events: { at: number; add: number }[] = [];
      for (const { wait, add } of steps) {
        vi.advanceTimersByTime(wait);
        count.add(add);
        events.push({ at: performance.now(), add });
        const since = (ms: number): number =>
          events.filter(({ at }) => at > performance.now() - ms).reduce((sum, { add }) => sum + add, 0);
        expect(count.total).toBeGreaterThanOrEqual(since(900));
        expect(count.total).toBeLessThanOrEqual(since(1000.001));
      }
    }),
  );
});
