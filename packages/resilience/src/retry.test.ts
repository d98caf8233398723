import { background, type Context, current, DeadlineExceeded, withCancel, withTimeout } from "@throughline/context";
import { startClock, type TestClock } from "@throughline/testing";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { RetryBudget } from "./retry-budget.ts";
import { retry, type RetryPolicy } from "./retry.ts";
import { sleep } from "./sleep.ts";

let clock: TestClock;
beforeEach(() => void (clock = startClock()));
afterEach(() => void (clock.stop(), vi.restoreAllMocks()));

/** Settles the promise while the fake clock runs. */
async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [[result]] = await Promise.all([Promise.allSettled([promise]), clock.runUntilIdle()]);
  return result!;
}

/** A function that fails a number of times, and the times of its calls. */
function failing(times: number): { fn: () => string; at: number[] } {
  const [at, from] = [[] as number[], clock.elapsed];
  return {
    at,
    fn() {
      at.push(clock.elapsed - from);
      if (at.length <= times) throw new Error(`attempt ${at.length} failed`);
      return "done";
    },
  };
}

describe("retry", () => {
  it("retries until success, and passes the number of the attempt", async () => {
    const attempts: number[] = [];
    const call = retry(background, (_ctx, attempt) => {
      attempts.push(attempt);
      if (attempt < 3) throw new Error("not yet");
      return "done";
    });

    expect(await settled(call)).toEqual({ status: "fulfilled", value: "done" });
    expect(attempts).toEqual([1, 2, 3]);
  });

  it("rejects with the last error after the given number of attempts", async () => {
    const { fn, at } = failing(9);
    expect(await settled(retry(background, fn, { attempts: 4 }))).toMatchObject({
      reason: { message: "attempt 4 failed" },
    });
    expect(at.length).toBe(4);
  });

  it("runs each attempt in a context of its own, which ends with it", async () => {
    const seen: Context[] = [];
    await settled(
      retry(background, async (ctx, attempt) => {
        expect(current()).toBe(ctx);
        seen.push(ctx);
        await null;
        if (attempt === 1) throw new Error("not yet");
      }),
    );

    expect(new Set(seen).size).toBe(2);
    expect(seen.every((ctx) => ctx.err() !== undefined)).toBe(true);
  });

  it("does not retry if retryIf returns false", async () => {
    const { fn, at } = failing(9);
    await settled(retry(background, fn, { retryIf: (error) => !/failed/.test(String(error)) }));
    expect(at.length).toBe(1);
  });

  it("never retries a context error", async () => {
    const error = new DeadlineExceeded();
    const fn = vi.fn(() => Promise.reject(error));
    expect(await settled(retry(background, fn))).toEqual({ status: "rejected", reason: error });
    expect(fn).toHaveBeenCalledOnce();
  });

  it("retries an attempt that exceeds attemptTimeout", async () => {
    const call = retry(
      background,
      async (ctx, attempt) => {
        if (attempt === 1) await sleep(ctx, "1h");
        return attempt;
      },
      { attemptTimeout: "50ms" },
    );
    expect(await settled(call)).toEqual({ status: "fulfilled", value: 2 });
  });

  it("retries an attempt that ignores its context", async () => {
    const call = retry(
      background,
      (_ctx, attempt) => (attempt === 1 ? new Promise<number>(() => {}) : Promise.resolve(attempt)),
      { attemptTimeout: "50ms" },
    );
    expect(await settled(call)).toEqual({ status: "fulfilled", value: 2 });
  });

  it("rejects with the attempt timeout of the last attempt", async () => {
    const call = retry(background, (ctx) => sleep(ctx, "1h"), { attemptTimeout: "50ms", attempts: 2 });
    expect(await settled(call)).toMatchObject({ reason: { source: "attemptTimeout", budget: 50 } });
  });

  it("rejects with the context's error when it ends during a wait", async () => {
    const [ctx, cancel] = withCancel(background);
    const call = retry(ctx, failing(9).fn, { backoff: { base: "1h", max: "1h" } });
    void sleep(background, 10).then(() => cancel());
    const result = await settled(call);
    expect((result as PromiseRejectedResult).reason).toBe(ctx.err());
  });

  it("does not start in a context that has ended", async () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    const fn = vi.fn();
    await expect(retry(ctx, fn)).rejects.toBe(ctx.err());
    expect(fn).not.toHaveBeenCalled();
  });

  it("waits at least as long as retryAfter returns", async () => {
    const { fn, at } = failing(1);
    await settled(retry(background, fn, { retryAfter: () => 700 }));
    expect(at[1]).toBeGreaterThanOrEqual(700);
  });

  it("rejects immediately if the wait would exceed the deadline", async () => {
    const [ctx] = withTimeout(background, "500ms");
    const { fn, at } = failing(9);
    const call = retry(ctx, fn, { retryAfter: () => 3600_000 });

    expect(await settled(call)).toMatchObject({ reason: { message: "attempt 1 failed" } });
    expect([at, clock.elapsed, ctx.err()]).toEqual([[0], 0, undefined]);
  });

  it("rejects when the shared budget is used up", async () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 1, window: "10s" });
    let attempts = 0;
    const calls = Array.from({ length: 30 }, () =>
      retry(background, () => (attempts++, Promise.reject(new Error("down"))), { budget, backoff: { max: 1 } }),
    );
    await settled(Promise.allSettled(calls));
    expect(attempts).toBe(30 + 10);
  });

  it("calls onRetry before each wait", async () => {
    const onRetry = vi.fn();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    await settled(retry(background, failing(2).fn, { backoff: { base: 100 }, onRetry }));
    expect(onRetry.mock.calls.map(([retry]) => ({ ...retry, error: retry.error.message }))).toEqual([
      { error: "attempt 1 failed", attempts: 1, wait: 50 },
      { error: "attempt 2 failed", attempts: 2, wait: 100 },
    ]);
  });

  it("waits within its bounds and completes by its deadline", async () => {
    const policies = fc.record({
      attempts: fc.integer({ min: 1, max: 8 }),
      base: fc.integer({ min: 0, max: 500 }),
      max: fc.integer({ min: 0, max: 2000 }),
      deadline: fc.integer({ min: 1, max: 5000 }),
      after: fc.array(fc.option(fc.nat(1500), { nil: undefined }), { maxLength: 8 }),
      works: fc.integer({ min: 1, max: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(policies, async ({ attempts, base, max, deadline, after, works }) => {
        const from = clock.elapsed;
        const [ctx, cancel] = withTimeout(background, deadline);
        const at: number[] = [];
        const policy: RetryPolicy = {
          attempts,
          backoff: { base, max },
          retryAfter: () => after[at.length - 1],
        };
        const result = await settled(
          retry(
            ctx,
            () => {
              at.push(clock.elapsed - from);
              if (at.length < works) throw new Error("down");
            },
            policy,
          ),
        );
        expect(at.length).toBeLessThanOrEqual(Math.min(attempts, works));
        expect(at.every((time) => time < deadline)).toBe(true);
        for (const [index, time] of at.entries()) {
          if (index === 0) continue;
          const [waited, asked] = [time - at[index - 1]!, after[index - 1] ?? 0];
          expect(waited).toBeGreaterThanOrEqual(asked);
          // The fake clock has whole milliseconds.
          expect(waited).toBeLessThanOrEqual(asked + Math.min(max, base * 2 ** (index - 1)) + 1);
        }
        expect(result.status === "fulfilled").toBe(at.length === works);
        cancel();
      }),
    );
  });

  it.each<[object, RegExp]>([
    [{ attempts: 0 }, /'attempts' must be a whole number, 1 or more/],
    [{ backoff: { base: "soon" } }, /'base' must be zero or more milliseconds/],
    [{ backoff: { factor: 2 } }, /there is no option 'factor'/],
    [{ retryIf: true }, /'retryIf' must be a function/],
    [{ tries: 3 }, /there is no option 'tries'/],
  ])("rejects the policy %j before the first attempt", async (policy, message) => {
    const fn = vi.fn();
    await expect(retry(background, fn, policy)).rejects.toThrow(message);
    expect(fn).not.toHaveBeenCalled();
  });
});
