import { beforeAll, describe, expect, it, vi } from "vitest";

import * as ours from "./index.ts";

// npm leaves two copies of a package behind when two others ask for different versions of it.
describe("a second copy of this package in the process", () => {
  let theirs: typeof ours;
  beforeAll(async () => {
    vi.resetModules();
    theirs = await import("./index.ts");
  });

  it("is one", () => {
    expect(theirs.withCancel).not.toBe(ours.withCancel);
  });

  it("has the same current context", () => {
    const key = ours.createKey<number>("key");
    const ctx = ours.withValue(ours.background, key, 1);
    expect(ours.run(ctx, () => theirs.current())).toBe(ctx);
    expect(theirs.run(ctx, () => ours.current())).toBe(ctx);
  });

  it("knows ours, and our errors, for what they are", () => {
    const [ctx, cancel] = ours.withCancel(ours.background);
    cancel();
    expect(ctx).toBeInstanceOf(theirs.Context);
    expect(theirs.isContext(ctx)).toBe(true);
    expect(ctx.err()).toBeInstanceOf(theirs.Canceled);
    expect(ctx.err()).toBeInstanceOf(theirs.ContextError);
    expect(ctx.err()).not.toBeInstanceOf(theirs.DeadlineExceeded);
  });

  it("shares one tree: values, ends and errors go through both", async () => {
    const key = ours.createKey<number>("key");
    const [root, cancel] = ours.withTimeout(ours.withValue(ours.background, key, 1), "1h");
    let ctx = root;
    // Long enough that either copy has gathered values of the other's.
    for (let i = 0; i < 200; i++) [ctx] = (i % 2 === 0 ? theirs : ours).withCancel(ctx);
    const [bottom] = theirs.withTimeout(ctx, "30m");
    const called = vi.fn();
    theirs.afterFunc(bottom, called);
    const { signal } = bottom;
    cancel(new Error("why"));

    expect(bottom.value(key)).toBe(1);
    expect(bottom.err()).toBe(root.err());
    expect(signal.reason).toBe(root.err());
    await null;
    expect(called).toHaveBeenCalledOnce();
  });

  it("takes its deadlines off its own list, whoever ends them", () => {
    vi.useFakeTimers();
    const [root, cancel] = ours.withCancel(ours.background);
    const [child] = theirs.withTimeout(root, 10);
    const [grandchild] = ours.withTimeout(child, 5);
    const signals = [child.signal, grandchild.signal];
    vi.advanceTimersByTime(5);
    expect(signals.map((signal) => signal.aborted)).toEqual([false, true]);
    cancel();
    vi.advanceTimersByTime(5);
    vi.useRealTimers();

    expect(child.err()).toBe(root.err());
    expect(grandchild.err()).toBeInstanceOf(ours.DeadlineExceeded);
  });

  it("has a background that is as good as ours", () => {
    expect(theirs.background.signal).not.toBe(theirs.background.signal);
    expect(ours.withCancel(theirs.background)[0].err()).toBeUndefined();
    expect(String(ours.withCancel(theirs.todo)[0])).toBe("todo.withCancel");
  });
});
