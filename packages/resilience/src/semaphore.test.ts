import { background, withCancel } from "@throughline/context";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type Release, Semaphore } from "./semaphore.ts";

const settle = (): Promise<void> => new Promise(setImmediate);

/** Whether an acquisition has been served, and how to give it back. */
function watch(acquiring: Promise<Release>): { release?: Release; error?: unknown } {
  const seen: { release?: Release; error?: unknown } = {};
  acquiring.then(
    (release) => (seen.release = release),
    (error: unknown) => (seen.error = error),
  );
  return seen;
}

describe("Semaphore", () => {
  it("lets through as much as it has, and the rest once that is given back", async () => {
    const semaphore = new Semaphore(2);
    const [first] = [await semaphore.acquire(background), await semaphore.acquire(background)];
    const third = watch(semaphore.acquire(background));
    await settle();
    expect(third.release).toBeUndefined();
    first();
    await settle();
    expect(third.release).toBeDefined();
  });

  // Go: TestWeightedTryAcquire
  it("gives at once, or not at all, to those who only try", () => {
    const semaphore = new Semaphore(2);
    const first = semaphore.tryAcquire();
    expect([first, semaphore.tryAcquire(2)]).toEqual([expect.any(Function), undefined]);
    first!();
    expect([semaphore.tryAcquire(2), semaphore.tryAcquire()]).toEqual([expect.any(Function), undefined]);
  });

  it("gives back once, however often it is told to, and by `using`", async () => {
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
  it("has nobody overtake one that needs much", async () => {
    const semaphore = new Semaphore(3);
    const held = await semaphore.acquire(background, 2);
    const large = watch(semaphore.acquire(background, 3));
    const small = watch(semaphore.acquire(background, 1));
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
  it("gives nothing to a context that has ended, though it be free", async () => {
    const semaphore = new Semaphore(1);
    const [ctx, cancel] = withCancel(background);
    cancel();
    await expect(semaphore.acquire(ctx)).rejects.toBe(ctx.err());
    expect(semaphore.tryAcquire()).toBeDefined();
  });

  // Go: TestAllocCancelDoesntStarve
  it("serves those behind one that gives up", async () => {
    const semaphore = new Semaphore(2);
    await semaphore.acquire(background);
    const [ctx, cancel] = withCancel(background);
    const large = watch(semaphore.acquire(ctx, 2));
    const small = watch(semaphore.acquire(background, 1));
    cancel();
    await settle();
    expect([large.error, small.release]).toEqual([ctx.err(), expect.any(Function)]);
  });

  it("keeps what is given back in the moment that a waiting context ends", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.acquire(background);
    const [ctx, cancel] = withCancel(background);
    const waiting = watch(semaphore.acquire(ctx));
    cancel();
    held();
    await settle();
    expect([waiting.error, semaphore.tryAcquire()]).toEqual([ctx.err(), expect.any(Function)]);
  });

  // Go: TestWeightedDoesntBlockIfTooBig
  it("holds up nobody for one that needs more than there is", async () => {
    const semaphore = new Semaphore(2);
    const [ctx, cancel] = withCancel(background);
    const tooBig = watch(semaphore.acquire(ctx, 3));
    expect(await semaphore.acquire(background, 2)).toBeDefined();
    cancel();
    await settle();
    expect(tooBig.error).toBe(ctx.err());
  });

  it("never lets through more than it has, serves in order, and strands nobody", async () => {
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
        // The same in plain words: who holds what, and who waits, in order.
        const held: { weight: number; release: Release }[] = [];
        let waiting: { weight: number; cancel: () => void; seen: ReturnType<typeof watch> }[] = [];
        const used = (): number => held.reduce((sum, { weight }) => sum + weight, 0);
        for (const each of steps) {
          if (each.do === "acquire") {
            const [ctx, cancel] = withCancel(background);
            waiting.push({ weight: each.weight, cancel, seen: watch(semaphore.acquire(ctx, each.weight)) });
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
            expect(served.seen.release).toBeDefined();
            held.push({ weight: served.weight, release: served.seen.release! });
            waiting = waiting.filter((other) => other !== served);
          }
          expect(used()).toBeLessThanOrEqual(size);
          expect(waiting.every(({ seen }) => seen.release === undefined)).toBe(true);
        }
      }),
    );
  });

  it("refuses sizes and weights that are none", async () => {
    expect(() => new Semaphore(0)).toThrow(/'size' must be a whole number, 1 or more/);
    await expect(new Semaphore(1).acquire(background, -1)).rejects.toThrow(
      /'weight' must be a whole number, 0 or more/,
    );
    expect(() => new Semaphore(1).tryAcquire(1.5)).toThrow(/'weight' must be a whole number/);
  });
});
