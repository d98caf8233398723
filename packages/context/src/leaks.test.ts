import { AsyncLocalStorage } from "node:async_hooks";
import { getEventListeners } from "node:events";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import {
  afterFunc,
  background,
  type Context,
  createKey,
  withCancel,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
} from "./index.ts";
import { armedDeadlines } from "./timer-heap.ts";

const key = createKey<unknown>("key");
const ROUNDS = 100_000;

/** Bytes of the heap that are in use after all that can be collected has been. */
async function heap(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await new Promise(setImmediate);
    globalThis.gc!();
  }
  return process.memoryUsage().heapUsed;
}

/** How many bytes each round leaves behind. */
async function growth(round: () => void, rounds = ROUNDS): Promise<number> {
  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      round();
      // What was started gets its turn, as it would between requests.
      if (i % 1000 === 999) await new Promise(setImmediate);
    }
  };
  await some(rounds / 10);
  const before = await heap();
  await some(rounds);
  return ((await heap()) - before) / rounds;
}

/** How many hang on a context that lives long. */
function members(ctx: Context): number {
  let count = 0;
  const { scope } = ctx as unknown as { scope: { listeners?: { first?: { next: never } } } };
  for (let member = scope.listeners?.first; member !== undefined; member = member.next) count += 1;
  return count;
}

let warnings: Error[] = [];
const warned = (warning: Error): void => void warnings.push(warning);
beforeEach(() => {
  warnings = [];
  process.on("warning", warned);
});
afterEach(() => {
  process.off("warning", warned);
  expect(warnings).toEqual([]);
});

describe("under a context that lives as long as the process, nothing is left of", () => {
  const [root] = withCancel(background);
  const { signal } = new AbortController();

  it.each<[string, () => void]>([
    ["contexts whose cancel is forgotten", () => void withCancel(root)],
    ["deadlines whose cancel is forgotten", () => void withTimeout(withValue(root, key, {}), "1h")],
    ["contexts on a signal whose cancel is forgotten", () => void withSignal(root, signal)],
    [
      "contexts that were observed and cancelled",
      () => {
        const [ctx, cancel] = withTimeout(withCancel(root)[0], "1h");
        void ctx.signal;
        afterFunc(ctx, () => {});
        cancel();
      },
    ],
    [
      "callbacks that were stopped, though no cancel was called",
      () => {
        const stop = afterFunc(withValue(withTimeout(withCancel(root)[0], "1h")[0], key, {}), () => {});
        stop();
      },
    ],
    [
      "contexts on a signal that lives as long",
      () => {
        const [ctx, cancel] = withSignal(root, signal);
        void ctx.signal;
        cancel();
      },
    ],
    [
      "contexts that were detached",
      () => {
        const [ctx, cancel] = withTimeout(withoutCancel(withTimeout(root, "1h")[0]), "1h");
        void ctx.signal;
        cancel();
      },
    ],
    ["signals of background", () => background.signal.addEventListener("abort", () => {})],
  ])("%s", { timeout: 60_000 }, async (_what, round) => {
    // One left behind would be a hundred bytes and more a round.
    expect(await growth(round)).toBeLessThan(8);
    expect([members(root), armedDeadlines(), getEventListeners(signal, "abort").length]).toEqual([0, 0, 0]);
  });

  it("whole requests", { timeout: 60_000 }, async () => {
    const request = (): void => {
      const [ctx, cancel] = withTimeout(withValue(root, key, { id: 1 }), "30s");
      afterFunc(ctx, () => {});
      const [call, cancelCall] = withTimeout(ctx, "1s");
      void call.signal;
      cancelCall();
      cancel(new Error("response sent"));
    };
    expect(await growth(request)).toBeLessThan(8);
    expect([members(root), armedDeadlines()]).toEqual([0, 0]);
  });
});

describe("links", () => {
  it("are made by the first observer and taken away by cancel, deadline or stop (XTestCancelRemoves)", () => {
    vi.useFakeTimers();
    const [root] = withCancel(background);
    const counts = [members(root)];
    const [child, cancel] = withCancel(root);
    counts.push(members(root));
    void child.signal;
    counts.push(members(root));
    cancel();
    counts.push(members(root));
    void withTimeout(root, 10)[0].signal;
    counts.push(members(root), armedDeadlines());
    vi.advanceTimersByTime(10);
    counts.push(members(root), armedDeadlines());
    const stop = afterFunc(root, () => {});
    counts.push(members(root));
    stop();
    counts.push(members(root));
    vi.useRealTimers();

    expect(counts).toEqual([0, 0, 1, 0, 1, 1, 0, 0, 1, 0]);
  });

  it("are none below what never ends (XTestChildFinishesFirst)", () => {
    void withCancel(background)[0].signal;
    void withCancel(withoutCancel(background))[0].signal;
    expect(members(background)).toBe(0);
  });
});

describe("memory", () => {
  it.each<[string, number, () => unknown]>([
    ["a value", 100, () => withValue(background, key, 1)],
    ["a context with a cancel", 420, () => withCancel(background)],
    ["a context with a deadline", 560, () => withTimeout(background, "1h")],
    [
      "a context with a deadline that somebody waits for",
      900,
      () => afterFunc(withTimeout(background, "1h")[0], () => {}),
    ],
  ])("of %s is at most %d bytes", async (_what, most, make) => {
    const kept: unknown[] = Array.from({ length: 10_000 });
    const before = await heap();
    for (let i = 0; i < kept.length; i++) kept[i] = make();
    expect(((await heap()) - before) / kept.length).toBeLessThan(most);
    expect(kept.length).toBe(10_000);
  });

  it("of a store whose request first set a deadline is not held by the timer", async () => {
    const storage = new AsyncLocalStorage<object>();
    const [keep] = withTimeout(background, "1h");
    const store = storage.run({ large: Array.from({ length: 1000 }) }, () => {
      void keep.signal;
      return new WeakRef(storage.getStore()!);
    });
    await heap();
    expect(armedDeadlines()).toBeGreaterThan(0);
    expect(store.deref()).toBeUndefined();
  });
});
