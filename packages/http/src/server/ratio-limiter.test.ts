import { LruMap } from "@throughline/resilience/internal";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { RatioLimiter } from "./ratio-limiter.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** How many of so many may. */
function taken(share: RatioLimiter, count: number): number {
  let number = 0;
  for (let index = 0; index < count; index++) {
    share.see();
    if (share.take()) number += 1;
  }
  return number;
}

it("lets no more than its share", () => {
  expect(taken(new RatioLimiter(0.2), 100)).toBe(20);
});

it("lets nobody while there are too few", () => {
  expect(taken(new RatioLimiter(0.2), 4)).toBe(0);
});

it("is one of the last ten seconds: what was before does not count", () => {
  const share = new RatioLimiter(0.2);
  for (let index = 0; index < 100; index++) share.see();
  vi.advanceTimersByTime(9000);
  expect(share.take()).toBe(true);
  vi.advanceTimersByTime(1000);
  expect(share.take()).toBe(false);
  vi.advanceTimersByTime(1e9);
  expect(taken(share, 100)).toBe(20);
});

it("agrees with a count of all that happened in the window", () => {
  const share = new RatioLimiter(0.2);
  const events: { second: number; isTaken: boolean }[] = [];
  let second = 0;
  for (let index = 0; index < 3000; index++) {
    if (index % 7 === 0) {
      vi.advanceTimersByTime(1000 * (index % 3));
      second += index % 3;
    }
    share.see();
    events.push({ second, isTaken: false });
    const window = events.filter((event) => event.second > second - 10);
    const expected = window.filter((event) => event.isTaken).length + 1 <= 0.2 * window.length;
    expect(share.take()).toBe(expected);
    events.at(-1)!.isTaken = expected;
  }
});

it("is each caller's own, and is forgotten of the callers that have not called for longest", () => {
  const shares = new LruMap<string, RatioLimiter>(1024, () => new RatioLimiter(0.2));
  const first = shares.get("a");
  expect(taken(first, 10)).toBe(2);
  expect(shares.get("a")).toBe(first);
  expect(taken(shares.get("b"), 10)).toBe(2);

  for (let index = 0; index < 1023; index++) shares.get(String(index));
  expect(shares.get("b")).not.toBe(first);
  expect(shares.get("a")).not.toBe(first);
});
