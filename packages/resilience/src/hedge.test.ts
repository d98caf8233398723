import { background, type Context, current, DeadlineExceeded, withTimeout } from "@throughline/context";
import { startClock, type TestClock } from "@throughline/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { hedge, type HedgePolicy } from "./hedge.ts";
import { Percentile } from "./percentile.ts";
import { RetryBudget } from "./retry-budget.ts";
import { sleep } from "./sleep.ts";

let clock: TestClock;
beforeEach(() => void (clock = startClock()));
afterEach(() => clock.stop());

/**
 * Runs a call whose attempts take the given milliseconds, and fail if negative. Returns the outcome and the start times.
 */
async function hedged(durations: readonly number[], policy: HedgePolicy, ctx: Context = background) {
  const from = clock.elapsed;
  const at: number[] = [];
  const contexts: Context[] = [];
  let took = 0;
  const call = hedge(
    ctx,
    async (scope, attempt) => {
      at.push(clock.elapsed - from);
      contexts.push(scope);
      expect(current()).toBe(scope);
      const duration = durations[attempt - 1]!;
      await sleep(scope, Math.abs(duration));
      if (duration < 0) throw new Error(`attempt ${attempt} failed`);
      return attempt;
    },
    policy,
  ).finally(() => (took = clock.elapsed - from));
  const [[result]] = await Promise.all([Promise.allSettled([call]), clock.runUntilIdle()]);
  const value = result.status === "fulfilled" ? result.value : (result.reason as Error);
  return { value, at, contexts, took };
}

describe("hedge", () => {
  it("makes no second attempt if the first is fast", async () => {
    expect(await hedged([20, 20], { delay: 50 })).toMatchObject({ value: 1, at: [0] });
  });

  it("makes a second attempt after the delay, and returns the first result", async () => {
    expect(await hedged([1000, 20], { delay: 50 })).toMatchObject({ value: 2, at: [0, 50], took: 70 });
    expect(await hedged([60, 20], { delay: 50 })).toMatchObject({ value: 1, at: [0, 50], took: 60 });
  });

  it("cancels the other attempts", async () => {
    const { contexts } = await hedged([1000, 20], { delay: 50 });
    expect(contexts.map((ctx) => ctx.err()?.name)).toEqual(["AbortError", "AbortError"]);
  });

  it("makes the next attempt immediately after a failure", async () => {
    expect(await hedged([-10, 20], { delay: 50 })).toMatchObject({ value: 2, at: [0, 10] });
  });

  it("makes the configured number of attempts, each after the delay", async () => {
    expect(await hedged([1000, 1000, 1000, 5], { delay: 50, attempts: 4 })).toMatchObject({
      value: 4,
      at: [0, 50, 100, 150],
    });
  });

  it("rejects with the last error if all attempts fail", async () => {
    expect((await hedged([-10, -10, -10], { delay: 50, attempts: 3 })).value).toMatchObject({
      message: "attempt 3 failed",
    });
  });

  it("rejects immediately with a fatal error", async () => {
    const { value, at } = await hedged([1000, -5, 5], { delay: 50, attempts: 3, isFatal: () => true });
    expect([value, at]).toMatchObject([{ message: "attempt 2 failed" }, [0, 50]]);
  });

  it("makes no further attempt after a pushback, and waits for running attempts", async () => {
    const policy = { delay: 50, attempts: 3, isPushback: () => true };
    expect(await hedged([200, -5, 5], policy)).toMatchObject({ value: 1, at: [0, 50], took: 200 });
    expect((await hedged([-5, 5], policy)).value).toMatchObject({ message: "attempt 1 failed" });
  });

  it("makes no further attempt after a context error", async () => {
    const fn = vi.fn(() => Promise.reject(new DeadlineExceeded()));
    await expect(hedge(background, fn, { delay: 50 })).rejects.toBeInstanceOf(DeadlineExceeded);
    expect(fn).toHaveBeenCalledOnce();
  });

  it("makes no further attempt if the budget is used up", async () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.1, window: "10s" });
    expect((await hedged([1000, 20], { delay: 50, budget })).at).toEqual([0, 50]);
    expect(await hedged([1000, 20], { delay: 50, budget })).toMatchObject({ value: 1, at: [0], took: 1000 });
  });

  it("hedges the slowest calls with a percentile as the delay", async () => {
    const delay = new Percentile(0.9);
    for (let index = 0; index < 16; index++) {
      expect((await hedged([40 + index, 5], { delay })).at).toEqual([0]);
    }
    const { at, value } = await hedged([1000, 5], { delay });
    expect(value).toBe(2);
    expect(at[1]).toBeGreaterThan(40);
    expect(at[1]).toBeLessThan(70);
  });

  it("rejects with the context's error when it ends", async () => {
    const [ctx] = withTimeout(background, 80);
    const { value, contexts } = await hedged([1000, 1000], { delay: 50 }, ctx);
    expect(value).toBe(ctx.err());
    expect(contexts.map((each) => each.err())).toEqual([ctx.err(), ctx.err()]);
  });

  it.each<[object, RegExp]>([
    [{}, /'delay' must be zero or more/],
    [{ delay: 1, attempts: 0 }, /'attempts' must be a whole number, 1 or more/],
    [{ delay: 1, isFatal: 1 }, /'isFatal' must be a function/],
    [{ delay: 1, max: 1 }, /there is no option 'max'/],
  ])("rejects the policy %j", async (policy, message) => {
    await expect(hedge(background, () => 1, policy as HedgePolicy)).rejects.toThrow(message);
  });
});
