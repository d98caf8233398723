import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { AdaptiveLimit } from "./adaptive-limit.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Load {
  /** Milliseconds that requests take with so many running. */
  readonly took: (running: number) => number;
  readonly isLate?: (took: number) => boolean;
  /** The number of requests that would run without a limit. */
  readonly demand: number;
  readonly route?: string;
}

/** Runs requests for so many seconds: each tenth of a second a fifth of those that may run end. */
function load(
  limit: AdaptiveLimit,
  seconds: number,
  { took, isLate = () => false, demand, route = "GET /" }: Load,
): void {
  for (let tenths = 0; tenths < seconds * 10; tenths++) {
    const running = Math.min(demand, limit.value);
    if (running < demand) limit.waited();
    const { step } = limit;
    vi.advanceTimersByTime(100);
    for (let ended = 0; ended < Math.max(10, running / 5); ended++) {
      limit.ran({ route, took: took(running), isLate: isLate(took(running)), step }, running);
    }
  }
}

/** A pool of 20 places of 40 ms, behind which requests queue; clients leave after 500 ms. */
const pool = { took: (running: number) => Math.max(40, running * 2), isLate: (took: number) => took >= 500 };

describe("AdaptiveLimit", () => {
  it("does not limit requests that are in time, however many", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { ...pool, demand: 20 });
    load(limit, 5, { ...pool, demand: 200 });
    expect(limit.value).toBe(Infinity);
  });

  it("keeps requests at about twice their usual time when too many of them are too late", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { ...pool, demand: 15 });
    load(limit, 10, { ...pool, demand: 400 });
    expect(limit.value).toBeGreaterThan(20);
    expect(limit.value).toBeLessThan(60);
  });

  it("does not limit anything for requests that are too late in their usual time", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { took: () => 500, isLate: () => true, demand: 20 });
    load(limit, 60, { took: () => 500, isLate: () => true, demand: 200 });
    expect(limit.value).toBe(Infinity);
  });

  it("does not limit anything for requests that take longer than usual, and are in time", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { took: () => 1, demand: 20 });
    load(limit, 10, { took: () => 50, demand: 200 });
    expect(limit.value).toBe(Infinity);
  });

  it("compares each route with its own usual time", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { took: () => 5, demand: 20, route: "GET /quick" });
    load(limit, 60, { took: () => 450, demand: 20, route: "GET /slow" });
    load(limit, 10, { took: () => 500, isLate: () => true, demand: 20, route: "GET /slow" });
    expect(limit.value).toBe(Infinity);
  });

  it("follows a capacity that shrinks and grows again", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { ...pool, demand: 15 });
    load(limit, 20, { ...pool, demand: 400 });
    const before = limit.value;
    load(limit, 20, { ...pool, took: (running) => Math.max(40, running * 8), demand: 400 });
    expect(limit.value).toBeLessThan(before / 2);
    load(limit, 20, { ...pool, demand: 400 });
    expect(limit.value).toBeGreaterThan(before / 2);
  });

  it("ends when nobody has waited for five seconds", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { ...pool, demand: 15 });
    load(limit, 10, { ...pool, demand: 400 });
    load(limit, 4, { ...pool, demand: 5 });
    expect(limit.value).toBeLessThan(Infinity);
    load(limit, 2, { ...pool, demand: 5 });
    expect(limit.value).toBe(Infinity);
  });

  it("permits slower requests again after a while, if they are in time", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { ...pool, demand: 15 });
    load(limit, 10, { ...pool, demand: 400 });
    const before = limit.value;
    // Each takes 100 ms by its own from now on, and as long as before if more than 50 run.
    load(limit, 120, { ...pool, took: (running) => Math.max(100, running * 2), demand: 400 });
    expect(limit.value).toBeGreaterThan(before * 1.5);
  });

  it("judges a limit only by requests that started under it", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { ...pool, demand: 15 });
    const before = limit.step;
    load(limit, 0.5, { ...pool, demand: 400 });
    const lowered = limit.value;
    expect(lowered).toBeLessThan(400);
    for (let late = 0; late < 400; late++) {
      vi.advanceTimersByTime(1);
      limit.ran({ route: "GET /", took: 800, isLate: true, step: before }, 400);
    }
    expect(limit.value).toBeGreaterThanOrEqual(lowered);
  });

  it("does not go below four", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { took: () => 40, demand: 10 });
    load(limit, 30, { took: (running) => running ** 2 * 10, isLate: (took) => took >= 500, demand: 30 });
    expect(limit.value).toBe(4);
  });

  it("ends if requests take as long although few of them run, and tries again only after a while", () => {
    const limit = new AdaptiveLimit();
    load(limit, 60, { took: () => 40, demand: 50 });
    const dead = { took: () => 500, isLate: () => true, demand: 50 };
    const limits = Array.from({ length: 600 }, () => {
      load(limit, 0.1, dead);
      return limit.value;
    });
    const limited = limits.filter((each) => each < Infinity).length;
    expect(limited).toBeGreaterThan(0);
    expect(limited).toBeLessThan(60);
  });
});
