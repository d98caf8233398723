import { background, withCancel } from "@throughline/context";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

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

  it("never exceeds its size, serves in order, and serves every waiter", async () => {
    const weight = fc.integer({ min: 0, max: 5 });
    const step = fc.oneof(
      fc.record({ do: fc.constant("acquire" as const), weight }),
      fc.record({ do: fc.constant("try" as const), weight }),
      fc.record({ do: fc.constant("release" as const), which: fc.nat() }),
      fc.record({ do: fc.constant("cancel" as const), which: fc.nat() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const size = 4;
        const semaphore = new Semaphore(size);
        // A model of the semaphore: the holders, and the waiters in order.
        const held: { weight: number; release: Release }[] = [];
        let waiting: { weight: number; cancel: () => void; outcome: ReturnType<typeof outcomeOf> }[] = [];
        const used = (): number => held.reduce((sum, { weight }) => sum + weight, 0);
        for (const each of steps) {
          if (each.do === "acquire") {
            const [ctx, cancel] = withCancel(background);
            waiting.push({ weight: each.weight, cancel, outcome: outcomeOf(semaphore.acquire(ctx, each.weight)) });
          } else if (each.do === "try") {
            const isFree = waiting.every(({ weight }) => weight > size) && used() + each.weight <= size;
            const release = semaphore.tryAcquire(each.weight);
            expect(release !== undefined).toBe(isFree);
            if (release) held.push({ weight: each.weight, release });
          } else if (each.do === "release" && held.length > 0) {
            held.splice(each.which % held.length, 1)[0]!.release();
          } else if (each.do === "cancel" && waiting.length > 0) {
            waiting.splice(each.which % waiting.length, 1)[0]!.cancel();
          }
          await settle();
          const blocked = waiting.filter(({ weight }) => weight <= size);
          while (blocked.length > 0 && used() + blocked[0]!.weight <= size) {
            const served = blocked.shift()!;
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
