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
  it("marks the whole tree before it notifies any listener", () => {
    const [root, cancel] = withCancel(background);
    const all = [root];
    for (let i = 0; i < 50; i++) all.push(withCancel(all[Math.floor(i / 3)]!)[0]);
    const alive: number[] = [];
    for (const ctx of all)
      ctx.signal.addEventListener("abort", () => alive.push(all.filter((each) => each.err() === undefined).length));
    cancel();

    expect(alive).toEqual(Array.from({ length: 51 }, () => 0));
  });

  it("notifies from the top down", () => {
    const [top, cancel, bottom] = chain(3);
    const notified: string[] = [];
    bottom.signal.addEventListener("abort", () => notified.push("bottom"));
    top.signal.addEventListener("abort", () => notified.push("top"));
    cancel();
    expect(notified).toEqual(["top", "bottom"]);
  });

  it("has one error object for all contexts", () => {
    const [top, cancel, bottom] = chain(10);
    const { signal } = bottom;
    cancel(new Error("why"));
    expect(new Set([top.err(), bottom.err(), signal.reason, top.signal.reason]).size).toBe(1);
  });

  it("does not change contexts that ended before", () => {
    const [root, cancelRoot] = withCancel(background);
    const [child, cancelChild] = withCancel(root);
    const { signal } = child;
    cancelChild(new Error("mine"));
    cancelRoot(new Error("theirs"));
    expect(signal.reason).toBe(child.err());
    expect((child.cause() as Error).message).toBe("mine");
  });

  it("has one signal, even if a listener reads it during the notification", () => {
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

  it("allows listeners to derive contexts, which have ended too", () => {
    const [root, cancel] = withCancel(background);
    let derived: Context | undefined;
    root.signal.addEventListener("abort", () => ([derived] = withTimeout(root, "1h")));
    cancel();
    expect(derived!.signal.reason).toBe(root.err());
  });

  it.each(["with a listener", "without a listener"])("does not overflow the stack at a depth of 100,000, %s", (how) => {
    const [top, cancel, bottom] = chain(100_000);
    const observed = how === "with a listener" ? bottom.signal : undefined;
    cancel();
    expect(bottom.err()).toBe(top.err());
    expect(observed?.aborted ?? true).toBe(true);
  });
});
