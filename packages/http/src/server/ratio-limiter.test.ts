import { LruMap } from "@throughline/resilience/internal";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { RatioLimiter } from "./ratio-limiter.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** How many of `count` events are allowed. */
function taken(limiter: RatioLimiter, count: number): number {
  let number = 0;
  for (let index = 0; index < count; index++) {
    limiter.record();
    if (limiter.tryTake()) number += 1;
  }
  return number;
}

it("allows no more than its ratio", () => {
  expect(taken(new RatioLimiter(0.2), 100)).toBe(20);
});

it("allows none of the first few", () => {
  expect(taken(new RatioLimiter(0.2), 4)).toBe(0);
});

it("counts only the last ten seconds", () => {
  const limiter = new RatioLimiter(0.2);
  for (let index = 0; index < 100; index++) limiter.record();
  vi.advanceTimersByTime(9000);
  expect(limiter.tryTake()).toBe(true);
  vi.advanceTimersByTime(1000);
  expect(limiter.tryTake()).toBe(false);
  vi.advanceTimersByTime(1e9);
  expect(taken(limiter, 100)).toBe(20);
});

it("agrees with a count of all events in the window", () => {
  const limiter = new RatioLimiter(0.2);
  const events: { second: number; isTaken: boolean }[] = [];
  let second = 0;
  for (let index = 0; index < 3000; index++) {
    if (index % 7 === 0) {
      vi.advanceTimersByTime(1000 * (index % 3));
      second += index % 3;
    }
    limiter.record();
    events.push({ second, isTaken: false });
    const window = events.filter((event) => event.second > second - 10);
    const expected = window.filter((event) => event.isTaken).length + 1 <= 0.2 * window.length;
    expect(limiter.tryTake()).toBe(expected);
    events.at(-1)!.isTaken = expected;
  }
});

it("exists for each client separately, and the least recently used one is forgotten", () => {
  const limiters = new LruMap<string, RatioLimiter>(1024, () => new RatioLimiter(0.2));
  const first = limiters.get("a");
  expect(taken(first, 10)).toBe(2);
  expect(limiters.get("a")).toBe(first);
  expect(taken(limiters.get("b"), 10)).toBe(2);

  for (let index = 0; index < 1023; index++) limiters.get(String(index));
  expect(limiters.get("b")).not.toBe(first);
  expect(limiters.get("a")).not.toBe(first);
});
