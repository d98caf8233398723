import { background, type Context, current, DeadlineExceeded, withTimeout } from "@throughline/context";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { hedge, type HedgePolicy } from "./hedge.ts";
import { Percentile } from "./percentile.ts";
import { RetryBudget } from "./retry-budget.ts";
import { sleep } from "./sleep.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What came of a call whose attempts take so many milliseconds, and fail where that is negative; and when each was made. */
async function hedged(durations: readonly number[], policy: HedgePolicy, ctx: Context = background) {
  const from = performance.now();
  const at: number[] = [];
  const contexts: Context[] = [];
  let took = 0;
  const call = hedge(
    ctx,
    async (scope, attempt) => {
      at.push(performance.now() - from);
      contexts.push(scope);
      expect(current()).toBe(scope);
      const duration = durations[attempt - 1]!;
      await sleep(scope, Math.abs(duration));
      if (duration < 0) throw new Error(`attempt ${attempt} failed`);
      return attempt;
    },
    policy,
  ).finally(() => (took = performance.now() - from));
  const [[result]] = await Promise.all([Promise.allSettled([call]), vi.runAllTimersAsync()]);
  const value = result.status === "fulfilled" ? result.value : (result.reason as Error);
  return { value, at, contexts, took };
}

describe("hedge", () => {
  it("makes no second attempt where the first is quick", async () => {
    expect(await hedged([20, 20], { delay: 50 })).toMatchObject({ value: 1, at: [0] });
  });

  it("makes a second attempt beside one that takes long, and gives what comes first", async () => {
    expect(await hedged([1000, 20], { delay: 50 })).toMatchObject({ value: 2, at: [0, 50], took: 70 });
    expect(await hedged([60, 20], { delay: 50 })).toMatchObject({ value: 1, at: [0, 50], took: 60 });
  });

  it("cancels the losers", async () => {
    const { contexts } = await hedged([1000, 20], { delay: 50 });
    expect(contexts.map((ctx) => ctx.err()?.name)).toEqual(["AbortError", "AbortError"]);
  });

  it("makes the next attempt at once where one fails", async () => {
    expect(await hedged([-10, 20], { delay: 50 })).toMatchObject({ value: 2, at: [0, 10] });
  });

  it("makes as many as it may, each after the delay", async () => {
    expect(await hedged([1000, 1000, 1000, 5], { delay: 50, attempts: 4 })).toMatchObject({
      value: 4,
      at: [0, 50, 100, 150],
    });
  });

  it("fails with the last error when all have failed", async () => {
    expect((await hedged([-10, -10, -10], { delay: 50, attempts: 3 })).value).toMatchObject({
      message: "attempt 3 failed",
    });
  });

  it("fails at once with an error that is fatal, though others run", async () => {
    const { value, at } = await hedged([1000, -5, 5], { delay: 50, attempts: 3, isFatal: () => true });
    expect([value, at]).toMatchObject([{ message: "attempt 2 failed" }, [0, 50]]);
  });

  it("makes no further attempt where it is asked to stop, and waits for what runs", async () => {
    const policy = { delay: 50, attempts: 3, isPushback: () => true };
    expect(await hedged([200, -5, 5], policy)).toMatchObject({ value: 1, at: [0, 50], took: 200 });
    expect((await hedged([-5, 5], policy)).value).toMatchObject({ message: "attempt 1 failed" });
  });

  it("makes no further attempt where one ended with an error of a context", async () => {
    const fn = vi.fn(() => Promise.reject(new DeadlineExceeded()));
    await expect(hedge(background, fn, { delay: 50 })).rejects.toBeInstanceOf(DeadlineExceeded);
    expect(fn).toHaveBeenCalledOnce();
  });

  it("makes no further attempt where the budget is used up, and lets run what runs", async () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.1, window: "10s" });
    expect((await hedged([1000, 20], { delay: 50, budget })).at).toEqual([0, 50]);
    expect(await hedged([1000, 20], { delay: 50, budget })).toMatchObject({ value: 1, at: [0], took: 1000 });
  });

  it("after a percentile, hedges the calls that are slower than most", async () => {
    const delay = new Percentile(0.9);
    for (let index = 0; index < 16; index++) {
      expect((await hedged([40 + index, 5], { delay })).at).toEqual([0]);
    }
    const { at, value } = await hedged([1000, 5], { delay });
    expect(value).toBe(2);
    expect(at[1]).toBeGreaterThan(40);
    expect(at[1]).toBeLessThan(70);
  });

  it("ends with its context, by that context's own error", async () => {
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
  ])("refuses %j", async (policy, message) => {
    await expect(hedge(background, () => 1, policy as HedgePolicy)).rejects.toThrow(message);
  });
});
