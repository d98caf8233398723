import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";

import { background, withTimeout } from "./index.ts";
import { callAfter } from "./internal.ts";
import { armedDeadlines } from "./timer-heap.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("many deadlines", () => {
  it("come each at its time, whichever were cancelled between", () => {
    const deadline = fc.record({ ms: fc.integer({ min: 1, max: 50 }), isCancelled: fc.boolean(), turn: fc.nat() });
    fc.assert(
      fc.property(fc.array(deadline, { maxLength: 80, size: "max" }), (deadlines) => {
        vi.useFakeTimers();
        const live = deadlines
          .map(({ ms }) => withTimeout(background, ms))
          .map(([ctx, cancel]) => ({ signal: ctx.signal, cancel }));
        const turns = deadlines.map(({ isCancelled, turn }, i) => ({ isCancelled, turn, ...live[i]! }));
        for (const { isCancelled, cancel } of turns.toSorted((a, b) => a.turn - b.turn)) if (isCancelled) cancel();
        const kept = deadlines
          .map((each, i) => ({ ...each, signal: live[i]!.signal }))
          .filter(({ isCancelled }) => !isCancelled);
        for (let now = 0; now <= 50; now++) {
          expect(kept.filter(({ signal }) => signal.aborted).length).toBe(kept.filter(({ ms }) => ms <= now).length);
          expect(armedDeadlines()).toBe(kept.filter(({ ms }) => ms > now).length);
          vi.advanceTimersByTime(1);
        }
        vi.useRealTimers();
      }),
    );
  });

  it("need one timer of Node's", () => {
    vi.useFakeTimers();
    const signals = Array.from({ length: 1000 }, (_, i) => withTimeout(background, 1000 + i)[0].signal);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(2000);
    expect(signals.every((signal) => signal.aborted)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the timer", () => {
  it("may be a number without unref, as that of jsdom is", async () => {
    const { setTimeout: real, clearTimeout: clear } = globalThis;
    const timers: NodeJS.Timeout[] = [];
    vi.stubGlobal("setTimeout", (...args: Parameters<typeof real>) => timers.push(real(...args)));
    vi.stubGlobal("clearTimeout", (timer: number | undefined) => clear(timers[(timer ?? 0) - 1]));
    try {
      // It is made, set anew for an earlier one, kept alive for a callback, and taken away.
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

  it("that wakes too early ends nothing early", () => {
    vi.useFakeTimers();
    const { signal } = withTimeout(background, 10)[0];
    const { now } = performance;
    // As Node does at times: by the clock it is a millisecond before the time that was asked for.
    const spy = vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) - 0.9);
    vi.advanceTimersByTime(10);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.aborted).toBe(true);
    spy.mockRestore();
  });

  it("goes on after something due has thrown", () => {
    vi.useFakeTimers();
    callAfter(5, () => {
      throw new Error("due");
    });
    const { signal } = withTimeout(background, 10)[0];
    expect(() => vi.advanceTimersByTime(5)).toThrow("due");
    vi.advanceTimersByTime(5);
    expect(signal.aborted).toBe(true);
  });

  it("goes on after fake timers were used and taken away", async () => {
    vi.useFakeTimers();
    const faked = withTimeout(background, 5)[0].signal;
    vi.useRealTimers();
    const { signal } = withTimeout(background, 10)[0];
    await vi.waitUntil(() => signal.aborted, { timeout: 1000 });
    expect(faked).toBeDefined();
  });
});
