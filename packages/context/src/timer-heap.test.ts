import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";

import { background, withTimeout } from "./index.ts";
import { callAfter } from "./internal.ts";
import { armedDeadlines, type TimerEntry as Entry } from "./timer-heap.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("many deadlines", () => {
  it("fire at their times, with cancellations in between", () => {
    const deadline = fc.record({ ms: fc.integer({ min: 1, max: 50 }), isCanceled: fc.boolean(), order: fc.nat() });
    fc.assert(
      fc.property(fc.array(deadline, { maxLength: 80, size: "max" }), (deadlines) => {
        vi.useFakeTimers();
        const live = deadlines
          .map(({ ms }) => withTimeout(background, ms))
          .map(([ctx, cancel]) => ({ signal: ctx.signal, cancel }));
        const cancels = deadlines.map(({ isCanceled, order }, i) => ({ isCanceled, order, ...live[i]! }));
        for (const { isCanceled, cancel } of cancels.toSorted((a, b) => a.order - b.order)) if (isCanceled) cancel();
        const kept = deadlines
          .map((each, i) => ({ ...each, signal: live[i]!.signal }))
          .filter(({ isCanceled }) => !isCanceled);
        for (let now = 0; now <= 50; now++) {
          expect(kept.filter(({ signal }) => signal.aborted).length).toBe(kept.filter(({ ms }) => ms <= now).length);
          expect(armedDeadlines()).toBe(kept.filter(({ ms }) => ms > now).length);
          vi.advanceTimersByTime(1);
        }
        vi.useRealTimers();
      }),
    );
  });

  it("share one Node timer", () => {
    vi.useFakeTimers();
    const signals = Array.from({ length: 1000 }, (_, i) => withTimeout(background, 1000 + i)[0].signal);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(2000);
    expect(signals.every((signal) => signal.aborted)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("on Cloudflare Workers", () => {
  it("each deadline has a timer of its own, which is cleared with it, and may be longer than setTimeout allows", async () => {
    vi.stubGlobal("WebSocketPair", () => {});
    vi.resetModules();
    const { arm, disarm } = await import("./timer-heap.ts");
    vi.unstubAllGlobals();
    vi.useFakeTimers();
    const fired: string[] = [];
    const [early, late, canceled] = (["early", "late", "canceled"] as const).map((name, index) => {
      return { at: performance.now() + [100, 2 ** 32, 200][index]!, slot: -1, fire: () => void fired.push(name) };
    }) as [Entry, Entry, Entry];
    for (const entry of [early, late, canceled]) arm(entry);
    expect(vi.getTimerCount()).toBe(3);
    disarm(canceled);
    disarm(canceled);
    expect(vi.getTimerCount()).toBe(2);

    vi.advanceTimersByTime(99);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect([fired, early.slot]).toEqual([["early"], -1]);
    vi.advanceTimersByTime(2 ** 32);
    expect(fired).toEqual(["early", "late"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the timer", () => {
  it("may be a number without unref, as in jsdom", async () => {
    const { setTimeout: real, clearTimeout: clear } = globalThis;
    const timers: NodeJS.Timeout[] = [];
    vi.stubGlobal("setTimeout", (...args: Parameters<typeof real>) => timers.push(real(...args)));
    vi.stubGlobal("clearTimeout", (timer: number | undefined) => clear(timers[(timer ?? 0) - 1]));
    try {
      // Create it, replace it by an earlier one, ref it for a callback, and clear it.
      const signals = [withTimeout(background, "1h"), withTimeout(background, 5)].map(([{ signal }]) => signal);
      const stop = callAfter(60_000, () => {});
      await vi.waitUntil(() => signals[1]!.aborted);
      stop();

      expect(signals[0]!.aborted).toBe(false);
      expect(timers.length).toBeGreaterThan(1);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("does not end a context early if it fires early", () => {
    vi.useFakeTimers();
    const { signal } = withTimeout(background, 10)[0];
    const { now } = performance;
    // Node may fire up to a millisecond before the requested time.
    const spy = vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) - 0.9);
    vi.advanceTimersByTime(10);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.aborted).toBe(true);
    spy.mockRestore();
  });

  it("continues after a callback has thrown", () => {
    vi.useFakeTimers();
    callAfter(5, () => {
      throw new Error("thrown by a callback");
    });
    const { signal } = withTimeout(background, 10)[0];
    expect(() => vi.advanceTimersByTime(5)).toThrow("thrown by a callback");
    vi.advanceTimersByTime(5);
    expect(signal.aborted).toBe(true);
  });

  it("works after fake timers were used and restored", async () => {
    vi.useFakeTimers();
    const faked = withTimeout(background, 5)[0].signal;
    vi.useRealTimers();
    const { signal } = withTimeout(background, 10)[0];
    await vi.waitUntil(() => signal.aborted, { timeout: 1000 });
    expect(faked).toBeDefined();
  });
});
