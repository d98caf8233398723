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

/** Bytes of the heap that are in use after a full garbage collection. */
async function heap(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await new Promise(setImmediate);
    globalThis.gc!();
  }
  return process.memoryUsage().heapUsed;
}

/** Bytes that each round retains. */
async function growth(round: () => void, rounds = ROUNDS): Promise<number> {
  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      round();
      // Let pending callbacks run, as between requests.
      if (i % 1000 === 999) await new Promise(setImmediate);
    }
  };
  await some(rounds / 10);
  const before = await heap();
  await some(rounds);
  return ((await heap()) - before) / rounds;
}

/** The number of listeners of a context. */
function listenerCount(ctx: Context): number {
  let count = 0;
  const { scope } = ctx as unknown as { scope: { listeners?: { first?: { next: never } } } };
  for (let each = scope.listeners?.first; each !== undefined; each = each.next) count += 1;
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

describe("under a context that never ends, memory does not grow for", () => {
  const [root] = withCancel(background);
  const { signal } = new AbortController();

  it.each<[string, () => void]>([
    ["contexts that are never canceled", () => void withCancel(root)],
    ["deadlines that are never canceled", () => void withTimeout(withValue(root, key, {}), "1h")],
    ["contexts of a signal that are never canceled", () => void withSignal(root, signal)],
    [
      "contexts with listeners that are canceled",
      () => {
        const [ctx, cancel] = withTimeout(withCancel(root)[0], "1h");
        void ctx.signal;
        afterFunc(ctx, () => {});
        cancel();
      },
    ],
    [
      "callbacks that are stopped without a cancel",
      () => {
        const stop = afterFunc(withValue(withTimeout(withCancel(root)[0], "1h")[0], key, {}), () => {});
        stop();
      },
    ],
    [
      "contexts of a long-lived signal",
      () => {
        const [ctx, cancel] = withSignal(root, signal);
        void ctx.signal;
        cancel();
      },
    ],
    [
      "contexts that are detached",
      () => {
        const [ctx, cancel] = withTimeout(withoutCancel(withTimeout(root, "1h")[0]), "1h");
        void ctx.signal;
        cancel();
      },
    ],
    ["signals of background", () => background.signal.addEventListener("abort", () => {})],
  ])("%s", { timeout: 60_000 }, async (_what, round) => {
    // One retained context takes more than a hundred bytes.
    expect(await growth(round)).toBeLessThan(8);
    expect([listenerCount(root), armedDeadlines(), getEventListeners(signal, "abort").length]).toEqual([0, 0, 0]);
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
    expect([listenerCount(root), armedDeadlines()]).toEqual([0, 0]);
  });
});

describe("links", () => {
  it("are created by the first listener and removed by cancel, deadline or stop (XTestCancelRemoves)", () => {
    vi.useFakeTimers();
    const [root] = withCancel(background);
    const counts = [listenerCount(root)];
    const [child, cancel] = withCancel(root);
    counts.push(listenerCount(root));
    void child.signal;
    counts.push(listenerCount(root));
    cancel();
    counts.push(listenerCount(root));
    void withTimeout(root, 10)[0].signal;
    counts.push(listenerCount(root), armedDeadlines());
    vi.advanceTimersByTime(10);
    counts.push(listenerCount(root), armedDeadlines());
    const stop = afterFunc(root, () => {});
    counts.push(listenerCount(root));
    stop();
    counts.push(listenerCount(root));
    vi.useRealTimers();

    expect(counts).toEqual([0, 0, 1, 0, 1, 1, 0, 0, 1, 0]);
  });

  it("are not created below a context that never ends (XTestChildFinishesFirst)", () => {
    void withCancel(background)[0].signal;
    void withCancel(withoutCancel(background))[0].signal;
    expect(listenerCount(background)).toBe(0);
  });
});

describe("memory", () => {
  it.each<[string, number, () => unknown]>([
    ["a value", 100, () => withValue(background, key, 1)],
    ["a context with a cancel", 420, () => withCancel(background)],
    ["a context with a deadline", 560, () => withTimeout(background, "1h")],
    ["a context with a deadline and a callback", 900, () => afterFunc(withTimeout(background, "1h")[0], () => {})],
  ])("of %s is at most %d bytes", async (_what, most, make) => {
    const kept: unknown[] = Array.from({ length: 10_000 });
    const before = await heap();
    for (let i = 0; i < kept.length; i++) kept[i] = make();
    expect(((await heap()) - before) / kept.length).toBeLessThan(most);
    expect(kept.length).toBe(10_000);
  });

  it("of a store is not retained by the timer that was created in it", async () => {
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
