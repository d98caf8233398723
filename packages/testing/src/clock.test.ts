import { afterFunc, background, current, run, withCancel, withTimeout } from "@throughline/context";
import { callAfter } from "@throughline/context/internal";
import { sleep } from "@throughline/resilience";
import sinon from "sinon";
import { afterEach, describe, expect, it, vi } from "vitest";

import { runWithClock, startClock } from "./clock.ts";

/** Real milliseconds that a function takes. */
async function realMs(fn: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await fn();
  return performance.now() - from;
}

describe("advance", () => {
  it("ends a context exactly at its deadline", () =>
    runWithClock(async (clock) => {
      const [ctx] = withTimeout(background, "2s");
      let ended = 0;
      afterFunc(ctx, () => void (ended += 1));
      await clock.advance(1999);
      expect([ctx.err(), ctx.remaining(), ended]).toEqual([undefined, 1, 0]);
      await clock.advance("1ms");
      expect([ctx.err()?.name, ctx.remaining(), ended]).toEqual(["TimeoutError", 0, 1]);
      expect(ctx.err()).toMatchObject({ budget: 2000, elapsed: 2000 });
    }));

  it("ends a context that nothing listens to", () =>
    runWithClock(async (clock) => {
      const [ctx] = withTimeout(background, "2s");
      await clock.advance("2s");
      expect(ctx.err()?.name).toBe("TimeoutError");
    }));

  it("fires what is due in order of time, and at one time in the order of the start", () =>
    runWithClock(async (clock) => {
      const seen: string[] = [];
      const note = (name: string, ms: number): unknown => callAfter(ms, () => seen.push(`${name}@${clock.elapsed}`));
      note("d", 30);
      for (const name of ["a1", "a2", "a3", "a4", "a5"]) note(name, 10);
      note("b", 20);
      await clock.advance(25);
      expect(seen).toEqual(["a1@10", "a2@10", "a3@10", "a4@10", "a5@10", "b@20"]);
      await clock.advance(5);
      expect(seen.at(-1)).toBe("d@30");
      expect(clock.elapsed).toBe(30);
    }));

  it("runs the callbacks of promises between two timers, which can start timers that are due too", () =>
    runWithClock(async (clock) => {
      const seen: number[] = [];
      async function steps(): Promise<void> {
        for (let step = 0; step < 5; step++) {
          await sleep(background, 10);
          await Promise.resolve();
          seen.push(clock.elapsed);
        }
      }
      const done = steps();
      await clock.advance(45);
      expect(seen).toEqual([10, 20, 30, 40]);
      await clock.advance(5);
      await done;
    }));

  it("takes no real time", async () => {
    const took = await realMs(() =>
      runWithClock(async (clock) => {
        const slept = sleep(background, "1h");
        await clock.advance("1h");
        await slept;
      }),
    );
    expect(took).toBeLessThan(500);
  });

  it("fires outside of the context of the test", () =>
    runWithClock(async (clock) => {
      const [ctx, cancel] = withCancel(background);
      let seen: unknown;
      await run(ctx, async () => {
        callAfter(10, () => (seen = current()));
        await clock.advance(10);
      });
      expect(seen).toBe(background);
      cancel();
    }));

  it("waits for code that waits for setImmediate twice, as streams of Node do", () =>
    runWithClock(async (clock) => {
      let rounds = 0;
      setImmediate(() => {
        rounds = 1;
        setImmediate(() => (rounds = 2));
      });
      await clock.settle();
      expect(rounds).toBe(2);
    }));

  it("must be awaited before the next", () =>
    runWithClock(async (clock) => {
      const first = clock.advance(1);
      await expect(clock.advance(1)).rejects.toThrow("await the earlier call first");
      await first;
    }));

  it.each(["soon", -1, NaN])("rejects %j", (duration) =>
    runWithClock(async (clock) => {
      await expect(clock.advance(duration as never)).rejects.toThrow("'duration' must be zero or more");
    }),
  );
});

describe("runUntilIdle", () => {
  it("fires everything, and returns the time that passed", () =>
    runWithClock(async (clock) => {
      const done = sleep(background, "3s").then(() => sleep(background, "2s"));
      expect(await clock.runUntilIdle()).toBe(5000);
      await done;
    }));

  it(
    "fails if timers start each other without end",
    () =>
      runWithClock(async (clock) => {
        let stop = (): void => {};
        const again = (): void => void (stop = callAfter(1, again));
        again();
        await expect(clock.runUntilIdle()).rejects.toThrow("timers start each other without end");
        stop();
      }),
    30_000,
  );
});

describe("what still waits", () => {
  it("fails the test, with the line that started it", async () => {
    const left = runWithClock(() => {
      void sleep(background, "3s");
      withTimeout(background, "5s")[0].signal.addEventListener("abort", () => {});
    });
    const error: Error = await left.then(
      () => new Error("none"),
      (reason: Error) => reason,
    );
    expect(error.message).toMatch(
      /these still wait:\n {2}timer, due in 3000 ms, started by sleep at .*clock\.test\.ts:\d+/,
    );
    expect(error.message).toMatch(
      /deadline of background\.withTimeout\(5s, 5s left\), due in 5000 ms, started by withTimeout at .*clock\.test\.ts:\d+/,
    );
  });

  it("never fires after the clock was stopped", async () => {
    let fired = false;
    const clock = startClock();
    callAfter(5, () => (fired = true));
    clock.stop();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(fired).toBe(false);
    expect(clock.waiting()).toEqual([]);
  });

  it("does not hide the error of the test", async () => {
    const failing = runWithClock(() => {
      void sleep(background, "3s");
      throw new Error("the test's own");
    });
    await expect(failing).rejects.toThrow("the test's own");
  });

  it("fails a test that waits for it without advancing the clock", async () => {
    const waiting = runWithClock(() => sleep(background, "3s"), { stallTimeout: 100 });
    await expect(waiting).rejects.toThrow(/does not advance the clock:\n {2}timer, due in 3000 ms/);
  });
});

describe("beside the monotonic clock", () => {
  it("a timer from before waits for the test clock, and afterwards for the monotonic one", async () => {
    const seen: string[] = [];
    callAfter(20, () => seen.push("short"));
    callAfter(40, () => seen.push("long"));
    await runWithClock(async (clock) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(seen).toEqual([]);
      await clock.advance(21);
      expect(seen).toEqual(["short"]);
    });
    await vi.waitUntil(() => seen.length === 2, { timeout: 1000 });
  });

  it("time passes again after it was stopped", async () => {
    startClock().stop();
    const took = await realMs(() => sleep(background, 30));
    expect(took).toBeGreaterThanOrEqual(29);
  });

  it("two at once are refused", () =>
    runWithClock(() => {
      expect(() => startClock()).toThrow(/another one is running, started by .*runWithClock at .*clock\.test\.ts:\d+/);
    }));

  it("a stopped clock cannot be advanced", async () => {
    const clock = startClock();
    clock[Symbol.dispose]();
    await expect(clock.advance(1)).rejects.toThrow("it is stopped");
  });
});

describe("beside fake timers of a runner", () => {
  afterEach(() => {
    vi.useRealTimers();
    sinon.restore();
  });

  it.each<[string, () => void]>([
    [
      "vitest, all",
      () => void vi.useFakeTimers({ toFake: ["performance", "setTimeout", "setImmediate", "queueMicrotask", "Date"] }),
    ],
    ["vitest, setTimeout only", () => void vi.useFakeTimers({ toFake: ["setTimeout"] })],
    ["sinon", () => void sinon.useFakeTimers()],
  ])("a deadline fires on the test clock, as do others on theirs: %s", async (_name, fake) => {
    fake();
    let others = 0;
    setTimeout(() => (others += 1), 2000);
    await runWithClock(async (clock) => {
      const [ctx] = withTimeout(background, "2s");
      const slept = sleep(ctx, "3s");
      slept.catch(() => {});
      await clock.advance("2s");
      expect(ctx.err()?.name).toBe("TimeoutError");
      await expect(slept).rejects.toBe(ctx.err());
      expect(others).toBe(0);
    });
  });

  it("fake timers that start on the clock do not move it", () =>
    runWithClock(async (clock) => {
      const [ctx] = withTimeout(background, "2s");
      vi.useFakeTimers();
      vi.advanceTimersByTime(5000);
      expect(ctx.err()).toBeUndefined();
      vi.useRealTimers();
      await clock.advance("2s");
      expect(ctx.err()?.name).toBe("TimeoutError");
    }));
});
