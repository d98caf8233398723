import { background, current, withCancel } from "@throughline/context";
import { startClock, type TestClock } from "@throughline/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { group } from "./group.ts";
import { sleep } from "./sleep.ts";

let clock: TestClock;
beforeEach(() => void (clock = startClock()));
afterEach(() => clock.stop());

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [[result]] = await Promise.all([Promise.allSettled([promise]), clock.runUntilIdle()]);
  return result!;
}

describe("group", () => {
  it("runs functions in its context, returns their results and waits for all of them", async () => {
    const work = group(background);
    const results = [30, 10].map((ms) =>
      work.go(async (ctx) => {
        expect(current()).toBe(ctx);
        await sleep(ctx, ms);
        return ms;
      }),
    );
    expect((await settled(work.wait())).status).toBe("fulfilled");
    expect(await Promise.all(results)).toEqual([30, 10]);
  });

  // Go: TestWithContext, TestCancelCause
  it("rejects with the first error, which cancels the other functions, after all have completed", async () => {
    const error = new Error("the first");
    const work = group(background);
    let isOver = false;
    void work.go(async (ctx) => {
      await sleep(ctx, "1h").catch(() => {});
      // A canceled function may have to clean up.
      await sleep(background, 100);
      isOver = true;
      throw new Error("a later one");
    });
    void work.go(() => Promise.reject(error));

    expect(await settled(work.wait())).toEqual({ status: "rejected", reason: error });
    expect([work.ctx.cause(), isOver]).toEqual([error, true]);
    await expect(work.wait()).rejects.toBe(error);
  });

  it("ends its context after all functions have succeeded", async () => {
    const work = group(background);
    await work.go(() => 1);
    await work.wait();
    expect(work.ctx.err()?.name).toBe("AbortError");
  });

  it("handles a synchronous throw, and causes no unhandled rejection", async () => {
    const work = group(background);
    void work.go(() => {
      throw new RangeError("thrown");
    });
    await expect(work.wait()).rejects.toThrow("thrown");
  });

  // Go: TestGoLimit
  it("does not exceed the limit, and starts waiting functions in order", async () => {
    const work = group(background, { limit: 2 });
    const started: number[] = [];
    let most = 0;
    let running = 0;
    for (let index = 0; index < 6; index++) {
      void work.go(async (ctx) => {
        started.push(index);
        most = Math.max(most, ++running);
        await sleep(ctx, 10);
        running -= 1;
      });
    }
    await settled(work.wait());
    expect([most, started]).toEqual([2, [0, 1, 2, 3, 4, 5]]);
  });

  it("does not start waiting functions after an error", async () => {
    const work = group(background, { limit: 1 });
    const fn = vi.fn();
    void work.go(() => Promise.reject(new Error("failed")));
    const waiting = work.go(fn);
    await settled(work.wait());

    await expect(waiting).rejects.toBe(work.ctx.err());
    await expect(work.go(fn)).rejects.toBe(work.ctx.err());
    expect(fn).not.toHaveBeenCalled();
  });

  it("waits for functions that were started inside others", async () => {
    const work = group(background);
    const seen: string[] = [];
    void work.go(async (ctx) => {
      await sleep(ctx, 10);
      void work.go(async (inner) => {
        await sleep(inner, 10);
        seen.push("inner");
      });
      seen.push("outer");
    });
    await settled(work.wait());
    expect(seen).toEqual(["outer", "inner"]);
  });

  it("rejects with the error of its parent context", async () => {
    const [ctx, cancel] = withCancel(background);
    const work = group(ctx);
    const waiting = work.go((each) => sleep(each, "1h"));
    cancel();
    await expect(waiting).rejects.toBe(ctx.err());
    await expect(work.wait()).rejects.toBe(ctx.err());
  });

  it("cancels and waits for running functions at the end of a block", async () => {
    let isOver = false;
    async function block(): Promise<void> {
      await using work = group(background);
      void work.go(async (ctx) => {
        await sleep(ctx, "1h").catch(() => {});
        isOver = true;
      });
      await null;
      throw new Error("left early");
    }
    expect(await settled(block())).toMatchObject({ reason: { message: "left early" } });
    expect(isOver).toBe(true);
  });

  it("rejects invalid arguments", () => {
    expect(() => group(background, { limit: 0 })).toThrow(/'limit' must be a whole number, 1 or more/);
    expect(() => group(background, { max: 1 } as object)).toThrow(/there is no option 'max'/);
    expect(() => group(background).go(1 as never)).toThrow(/'fn' must be a function/);
  });
});
