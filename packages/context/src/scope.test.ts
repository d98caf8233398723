import { describe, expect, it, vi } from "vitest";

import { background, type CancelFunc, type Context, withCancel, withTimeout } from "./index.ts";

/** A chain of contexts, each below the one before. */
function chain(depth: number): [Context, CancelFunc, Context] {
  const [top, cancel] = withCancel(background);
  let bottom = top;
  for (let i = 1; i < depth; i++) [bottom] = withCancel(bottom);
  return [top, cancel, bottom];
}

describe("the end of a tree", () => {
  it("is whole before anybody is told: no listener sees a part of it alive", () => {
    const [root, cancel] = withCancel(background);
    const all = [root];
    for (let i = 0; i < 50; i++) all.push(withCancel(all[Math.floor(i / 3)]!)[0]);
    const alive: number[] = [];
    for (const ctx of all)
      ctx.signal.addEventListener("abort", () => alive.push(all.filter((each) => each.err() === undefined).length));
    cancel();

    expect(alive).toEqual(Array.from({ length: 51 }, () => 0));
  });

  it("is told from the top down", () => {
    const [top, cancel, bottom] = chain(3);
    const told: string[] = [];
    bottom.signal.addEventListener("abort", () => told.push("bottom"));
    top.signal.addEventListener("abort", () => told.push("top"));
    cancel();
    expect(told).toEqual(["top", "bottom"]);
  });

  it("is one error object for all of it", () => {
    const [top, cancel, bottom] = chain(10);
    const { signal } = bottom;
    cancel(new Error("why"));
    expect(new Set([top.err(), bottom.err(), signal.reason, top.signal.reason]).size).toBe(1);
  });

  it("leaves those alone that had ended before, with their own errors", () => {
    const [root, cancelRoot] = withCancel(background);
    const [child, cancelChild] = withCancel(root);
    const { signal } = child;
    cancelChild(new Error("mine"));
    cancelRoot(new Error("theirs"));
    expect(signal.reason).toBe(child.err());
    expect((child.cause() as Error).message).toBe("mine");
  });

  it("has one signal, also for those who take it while it is being told", () => {
    vi.useFakeTimers();
    const [parent] = withTimeout(background, 10);
    const [child] = withCancel(parent);
    let inner: AbortSignal | undefined;
    parent.signal.addEventListener("abort", () => (inner = child.signal));
    const { now } = performance;
    const spy = vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + 20);
    const outer = child.signal;
    spy.mockRestore();
    vi.useRealTimers();

    expect(inner).toBeDefined();
    expect(inner).toBe(outer);
  });

  it("may make new contexts, which have ended too", () => {
    const [root, cancel] = withCancel(background);
    let born: Context | undefined;
    root.signal.addEventListener("abort", () => ([born] = withTimeout(root, "1h")));
    cancel();
    expect(born!.signal.reason).toBe(root.err());
  });

  it.each(["observed", "not observed"])("of depth 100,000 costs no stack, %s", (how) => {
    const [top, cancel, bottom] = chain(100_000);
    const observed = how === "observed" ? bottom.signal : undefined;
    cancel();
    expect(bottom.err()).toBe(top.err());
    expect(observed?.aborted ?? true).toBe(true);
  });
});
