import { background, type Context, current, DeadlineExceeded, withCancel, withTimeout } from "@throughline/context";
import { startClock, type TestClock } from "@throughline/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { fanOut } from "./fan-out.ts";
import { sleep } from "./sleep.ts";

describe("fanOut", () => {
  let clock: TestClock;
  beforeEach(() => void (clock = startClock()));
  afterEach(() => clock.stop());

  /** Takes the item's absolute value in milliseconds, and fails if it is negative. */
  async function work(ctx: Context, item: number): Promise<number> {
    await sleep(ctx, Math.abs(item));
    if (item < 0) throw new Error(`${item} failed`);
    return item;
  }

  /** Settles the promise while the fake clock runs. */
  async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
    const [[result]] = await Promise.all([Promise.allSettled([promise]), clock.runUntilIdle()]);
    return result!;
  }

  it("returns the results in the order of the items", async () => {
    const result = await settled(fanOut(background, [30, 10, 20], work));

    expect(result).toMatchObject({ value: { values: [30, 10, 20], complete: true } });
  });

  it("runs each item in a derived context, which is the current one", async () => {
    const [ctx] = withTimeout(background, "1s");
    const seen: Context[] = [];
    await fanOut(ctx, ["a", "b"], async (each) => {
      expect(current()).toBe(each);
      await null;
      expect(current()).toBe(each);
      seen.push(each);
    });

    expect(seen[0]!.deadline).toEqual(ctx.deadline);
    expect(seen[0]!.err()).toBeDefined();
    expect(ctx.err()).toBeUndefined();
  });

  it("does not exceed the limit", async () => {
    let running = 0;
    let most = 0;
    const call = fanOut(
      background,
      Array.from({ length: 10 }, () => 5),
      async (ctx, item) => {
        most = Math.max(most, ++running);
        await sleep(ctx, item);
        running -= 1;
      },
      { limit: 3 },
    );

    expect((await settled(call)).status).toBe("fulfilled");
    expect(most).toBe(3);
  });

  describe('until "first-error"', () => {
    it("rejects with the first error and cancels the other items with it as the cause", async () => {
      const contexts: Context[] = [];
      const result = await settled(
        fanOut(background, [-5, 1000], (ctx, item) => {
          contexts.push(ctx);
          return work(ctx, item);
        }),
      );

      expect(result).toMatchObject({ reason: new Error("-5 failed") });
      expect(contexts[1]!.cause()).toBe((result as PromiseRejectedResult).reason);
      expect(clock.elapsed).toBeLessThan(1000);
    });

    it("does not start items after the first error", async () => {
      const started: number[] = [];
      const call = fanOut(
        background,
        [-5, 10, 20],
        (ctx, item) => {
          started.push(item);
          return work(ctx, item);
        },
        { limit: 1 },
      );

      expect((await settled(call)).status).toBe("rejected");
      expect(started).toEqual([-5]);
    });
  });

  it('until "all" includes errors in the results', async () => {
    const result = await settled(fanOut(background, [10, -5], work, { until: "all" }));

    expect(result).toMatchObject({
      value: {
        values: [10],
        complete: false,
        results: [
          { status: "fulfilled", value: 10 },
          { status: "rejected", reason: new Error("-5 failed") },
        ],
      },
    });
  });

  describe('until "deadline"', () => {
    it("returns the results a margin before the deadline and cancels the other items", async () => {
      const [ctx] = withTimeout(background, 100);
      const from = clock.elapsed;
      let stopped: unknown;
      const call = fanOut(
        ctx,
        [10, 5000],
        (each, item) => work(each, item).catch((error: unknown) => Promise.reject((stopped = error))),
        {
          until: "deadline",
          margin: 20,
        },
      ).then((value) => ({ value, at: clock.elapsed - from, live: ctx.err() === undefined }));

      const result = await settled(call);
      expect(result).toMatchObject({ value: { at: 80, live: true, value: { values: [10], complete: false } } });
      expect(stopped).toBeInstanceOf(DeadlineExceeded);
    });

    it("does not wait for items that ignore their context", async () => {
      const [ctx] = withTimeout(background, 100);
      const result = await settled(
        fanOut(ctx, [1, 2], (_ctx, item) => (item === 2 ? new Promise(() => {}) : item), { until: "deadline" }),
      );

      expect(result).toMatchObject({ value: { values: [1], complete: false } });
    });

    it("waits for all items without a deadline", async () => {
      const result = await settled(fanOut(background, [10, 5000], work, { until: "deadline" }));

      expect(result).toMatchObject({ value: { values: [10, 5000], complete: true } });
    });
  });

  it.each(["all", "first-error", "deadline"] as const)(
    "until %j rejects with the context's error when it is canceled",
    async (until) => {
      const [ctx, cancel] = withCancel(background);
      const call = settled(fanOut(ctx, [1000, 1000], work, { until }));
      cancel(new Error("the caller left"));

      const result = await call;
      expect(result).toEqual({ status: "rejected", reason: ctx.err() });
      expect((result as PromiseRejectedResult).reason).toBe(ctx.err());
    },
  );

  describe("until a quorum", () => {
    it("returns the results of the quorum and cancels the other items", async () => {
      const canceled: number[] = [];
      const call = fanOut(
        background,
        [30, -5, 10, 1000, 20],
        async (ctx, item) => {
          try {
            return await work(ctx, item);
          } catch (error) {
            if (error === ctx.err()) canceled.push(item);
            throw error;
          }
        },
        { until: { quorum: 2 } },
      );
      const result = await settled(call);

      expect(result).toMatchObject({ status: "fulfilled", value: { values: [10, 20], complete: false } });
      expect(new Set(canceled)).toEqual(new Set([30, 1000]));
    });

    it("treats the first success as a quorum of one", async () => {
      expect(await settled(fanOut(background, [-1, 50, 20], work, { until: "first-success" }))).toMatchObject({
        value: { values: [20] },
      });
    });

    it("rejects with all errors as soon as the quorum cannot be reached", async () => {
      const from = clock.elapsed;
      let over = 0;
      const call = fanOut(background, [-5, 1000, -10], work, { until: { quorum: 2 } }).finally(() => {
        over = clock.elapsed - from;
      });
      const result = await settled(call);

      const { reason } = result as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(AggregateError);
      expect((reason as AggregateError).message).toBe(
        "Cannot fan out: 0 of 3 items succeeded, too few for a quorum of 2",
      );
      expect((reason as AggregateError).errors.map((error: Error) => error.message)).toContain("-5 failed");
      expect(over).toBeLessThan(50);
    });

    it("starts no item if there are too few", async () => {
      const fn = vi.fn();
      await expect(fanOut(background, [1], fn, { until: { quorum: 2 } })).rejects.toThrow(
        /a quorum of 2 needs as many items; received 1/,
      );
      expect(fn).not.toHaveBeenCalled();
    });
  });

  it.each([
    [{ limit: 0 }, /'limit' must be a whole number, 1 or more; received number 0/],
    [
      { until: "soon" as "all" },
      /'until' must be one of "all", "first-error", "first-success", "deadline"; received string "soon"/,
    ],
    [{ until: { quorum: 0 } }, /'quorum' must be a whole number, 1 or more/],
    [{ untill: "all" } as object, /there is no option 'untill'/],
    [{ margin: -1 }, /'margin' must be zero or more/],
  ])("rejects the options %j before it starts any item", async (options, message) => {
    const fn = vi.fn();
    await expect(fanOut(background, [1], fn, options)).rejects.toThrow(message);
    expect(fn).not.toHaveBeenCalled();
  });

  it("is complete without items", async () => {
    expect(await fanOut(background, [], work)).toEqual({ results: [], values: [], complete: true });
  });
});
