import { background, withCancel, withTimeout } from "@throughline/context";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";

import { type Release, Semaphore } from "./semaphore.ts";

const settle = (): Promise<void> => new Promise(setImmediate);

/** The outcome of an acquisition, once it has settled. */
function outcomeOf(acquiring: Promise<Release>): { release?: Release; error?: unknown } {
  const outcome: { release?: Release; error?: unknown } = {};
  acquiring.then(
    (release) => (outcome.release = release),
    (error: unknown) => (outcome.error = error),
  );
  return outcome;
}

describe("Semaphore", () => {
  it("serves up to its size, and others after a release", async () => {
    const semaphore = new Semaphore(2);
    const [first] = [await semaphore.acquire(background), await semaphore.acquire(background)];
    const third = outcomeOf(semaphore.acquire(background));
    await settle();
    expect(third.release).toBeUndefined();
    first();
    await settle();
    expect(third.release).toBeDefined();
  });

  // Go: TestWeightedTryAcquire
  it("tryAcquire returns immediately, with or without a release", () => {
    const semaphore = new Semaphore(2);
    const first = semaphore.tryAcquire();
    expect([first, semaphore.tryAcquire(2)]).toEqual([expect.any(Function), undefined]);
    first!();
    expect([semaphore.tryAcquire(2), semaphore.tryAcquire()]).toEqual([expect.any(Function), undefined]);
  });

  it("releases once, also with using", async () => {
    const semaphore = new Semaphore(2);
    const first = await semaphore.acquire(background);
    {
      using _ = (await semaphore.acquire(background))!;
      expect(semaphore.tryAcquire()).toBeUndefined();
    }
    first();
    first();
    expect(semaphore.tryAcquire(2)).toBeDefined();
    expect(semaphore.tryAcquire()).toBeUndefined();
  });

  // Go: TestLargeAcquireDoesntStarve
  it("does not let a small weight overtake a large one", async () => {
    const semaphore = new Semaphore(3);
    const held = await semaphore.acquire(background, 2);
    const large = outcomeOf(semaphore.acquire(background, 3));
    const small = outcomeOf(semaphore.acquire(background, 1));
    await settle();
    expect([large.release, small.release, semaphore.tryAcquire()]).toEqual([undefined, undefined, undefined]);
    held();
    await settle();
    expect([large.release, small.release]).toEqual([expect.any(Function), undefined]);
    large.release!();
    await settle();
    expect(small.release).toBeDefined();
  });

  // Go: TestWeightedAcquireCanceled
  it("rejects in a context that has ended, even if it is free", async () => {
    const semaphore = new Semaphore(1);
    const [ctx, cancel] = withCancel(background);
    cancel();
    await expect(semaphore.acquire(ctx)).rejects.toBe(ctx.err());
    expect(semaphore.tryAcquire()).toBeDefined();
  });

  // Go: TestAllocCancelDoesntStarve
  it("serves waiters behind one that is canceled", async () => {
    const semaphore = new Semaphore(2);
    await semaphore.acquire(background);
    const [ctx, cancel] = withCancel(background);
    const large = outcomeOf(semaphore.acquire(ctx, 2));
    const small = outcomeOf(semaphore.acquire(background, 1));
    cancel();
    await settle();
    expect([large.error, small.release]).toEqual([ctx.err(), expect.any(Function)]);
  });

  it("does not lose a weight that is released while a waiter's context ends", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.acquire(background);
    const [ctx, cancel] = withCancel(background);
    const waiting = outcomeOf(semaphore.acquire(ctx));
    cancel();
    held();
    await settle();
    expect([waiting.error, semaphore.tryAcquire()]).toEqual([ctx.err(), expect.any(Function)]);
  });

  // Go: TestWeightedDoesntBlockIfTooBig
  it("does not block others for a weight above its size", async () => {
    const semaphore = new Semaphore(2);
    const [ctx, cancel] = withCancel(background);
    const tooBig = outcomeOf(semaphore.acquire(ctx, 3));
    expect(await semaphore.acquire(background, 2)).toBeDefined();
    cancel();
    await settle();
    expect(tooBig.error).toBe(ctx.err());
  });

  /** Starts acquisitions, each with a context of its own. */
  const acquireEach = (semaphore: Semaphore, count: number) =>
    Array.from({ length: count }, () => {
      const [ctx, cancel] = withCancel(background);
      return { ctx, cancel, outcome: outcomeOf(semaphore.acquire(ctx)) };
    });
  const servedOf = (waiters: ReturnType<typeof acquireEach>): number[] =>
    waiters.flatMap(({ outcome }, index) => (outcome.release ? [index] : []));

  it("serves the newest first after the next one has given up, until nobody waits", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.acquire(background);
    const waiters = acquireEach(semaphore, 4);
    waiters[0]!.cancel();
    held();
    await settle();
    expect(servedOf(waiters)).toEqual([3]);
    for (const index of [3, 2, 1]) {
      waiters[index]!.outcome.release!();
      await settle();
    }
    expect(servedOf(waiters)).toEqual([1, 2, 3]);

    const again = await semaphore.acquire(background);
    const later = acquireEach(semaphore, 2);
    again();
    await settle();
    expect(servedOf(later)).toEqual([0]);
  });

  it("serves the newest first after work that had to wait was done too late", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.acquire(background);
    const waiters = acquireEach(semaphore, 3);
    held();
    await settle();
    waiters[0]!.cancel();
    waiters[0]!.outcome.release!();
    await settle();
    expect(servedOf(waiters)).toEqual([0, 2]);
  });

  it("goes on in order after work that did not have to wait was canceled, and after others than the next gave up", async () => {
    const semaphore = new Semaphore(1);
    const [holding, cancel] = withCancel(background);
    const held = await semaphore.acquire(holding);
    const waiters = acquireEach(semaphore, 3);
    waiters[1]!.cancel();
    cancel();
    held();
    await settle();
    expect(servedOf(waiters)).toEqual([0]);
  });

  it("lets waiters with less time left than it is usually held let others go first", async () => {
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
    try {
      const semaphore = new Semaphore(1);
      for (let times = 0; times < 20; times++) {
        using _ = await semaphore.acquire(background);
        vi.advanceTimersByTime(40);
      }
      const held = await semaphore.acquire(background);
      const hurried = outcomeOf(semaphore.acquire(withTimeout(background, 39)[0]));
      const patient = outcomeOf(semaphore.acquire(withTimeout(background, 1000)[0]));
      held();
      await settle();
      expect([hurried.release, patient.release]).toEqual([undefined, expect.any(Function)]);
      patient.release!();
      await settle();
      expect(hurried.release).toBeDefined();
    } finally {
      vi.useRealTimers();
    }
  });

  it("does not let a newer weight overtake a large one that is next, even if the newest is served first", async () => {
    const semaphore = new Semaphore(2);
    const [first, second] = [await semaphore.acquire(background), await semaphore.acquire(background)];
    const [ctx, cancel] = withCancel(background);
    void outcomeOf(semaphore.acquire(ctx));
    const large = outcomeOf(semaphore.acquire(background, 2));
    cancel();
    first();
    const newer = outcomeOf(semaphore.acquire(background, 1));
    await settle();
    expect([large.release, newer.release]).toEqual([undefined, undefined]);
    second();
    await settle();
    expect([large.release, newer.release]).toEqual([expect.any(Function), undefined]);
  });

  it("never exceeds its size, serves in order until one is too late, and serves every waiter", async () => {
    const weight = fc.integer({ min: 0, max: 5 });
    const step = fc.oneof(
      fc.record({ do: fc.constant("acquire" as const), weight }),
      fc.record({ do: fc.constant("try" as const), weight }),
      fc.record({ do: fc.constant("release" as const), which: fc.nat() }),
      fc.record({ do: fc.constant("cancel" as const), which: fc.nat() }),
    );
    interface Waiting {
      readonly weight: number;
      readonly cancel: () => void;
      readonly outcome: ReturnType<typeof outcomeOf>;
    }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const size = 4;
        const semaphore = new Semaphore(size);
        // A model of the semaphore: the holders, and the waiters in order.
        const held: { weight: number; release: Release }[] = [];
        let waiting: Waiting[] = [];
        let isNewestFirst = false;
        let next: Waiting | undefined;
        const used = (): number => held.reduce((sum, { weight }) => sum + weight, 0);
        const line = (): Waiting[] => waiting.filter(({ weight }) => weight <= size);
        for (const each of steps) {
          if (each.do === "acquire") {
            const [ctx, cancel] = withCancel(background);
            waiting.push({ weight: each.weight, cancel, outcome: outcomeOf(semaphore.acquire(ctx, each.weight)) });
          } else if (each.do === "try") {
            const isFree = line().length === 0 && used() + each.weight <= size;
            const release = semaphore.tryAcquire(each.weight);
            expect(release !== undefined).toBe(isFree);
            if (release) held.push({ weight: each.weight, release });
          } else if (each.do === "release" && held.length > 0) {
            held.splice(each.which % held.length, 1)[0]!.release();
          } else if (each.do === "cancel" && waiting.length > 0) {
            const left = waiting[each.which % waiting.length]!;
            if (line()[0] === left) isNewestFirst = true;
            waiting = waiting.filter((other) => other !== left);
            if (next === left) next = undefined;
            left.cancel();
          }
          await settle();
          for (;;) {
            if (line().length === 0) isNewestFirst = false;
            next ??= isNewestFirst ? line().at(-1) : line()[0];
            if (next === undefined || used() + next.weight > size) {
              if (next !== undefined && next.weight <= 1) next = undefined;
              break;
            }
            const served = next;
            next = undefined;
            expect(served.outcome.release).toBeDefined();
            held.push({ weight: served.weight, release: served.outcome.release! });
            waiting = waiting.filter((other) => other !== served);
          }
          expect(used()).toBeLessThanOrEqual(size);
          expect(waiting.every(({ outcome }) => outcome.release === undefined)).toBe(true);
        }
      }),
    );
  });

  it("rejects invalid sizes and weights", async () => {
    expect(() => new Semaphore(0)).toThrow(/'size' must be a whole number, 1 or more/);
    await expect(new Semaphore(1).acquire(background, -1)).rejects.toThrow(
      /'weight' must be a whole number, 0 or more/,
    );
    expect(() => new Semaphore(1).tryAcquire(1.5)).toThrow(/'weight' must be a whole number/);
  });
});
