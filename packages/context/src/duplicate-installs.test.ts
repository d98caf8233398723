import { beforeAll, describe, expect, it, vi } from "vitest";

import * as ours from "./index.ts";

// npm installs two copies of a package if two others require different versions of it.
describe("a second copy of this package in the process", () => {
  let theirs: typeof ours;
  beforeAll(async () => {
    vi.resetModules();
    theirs = await import("./index.ts");
  });

  it("is loaded separately", () => {
    expect(theirs.withCancel).not.toBe(ours.withCancel);
  });

  it("shares the current context", () => {
    const key = ours.createKey<number>("key");
    const ctx = ours.withValue(ours.background, key, 1);
    expect(ours.run(ctx, () => theirs.current())).toBe(ctx);
    expect(theirs.run(ctx, () => ours.current())).toBe(ctx);
  });

  it("recognizes contexts and errors of the first copy", () => {
    const [ctx, cancel] = ours.withCancel(ours.background);
    cancel();
    expect(ctx).toBeInstanceOf(theirs.Context);
    expect(theirs.isContext(ctx)).toBe(true);
    expect(ctx.err()).toBeInstanceOf(theirs.Canceled);
    expect(ctx.err()).toBeInstanceOf(theirs.ContextError);
    expect(ctx.err()).not.toBeInstanceOf(theirs.DeadlineExceeded);
  });

  it("shares values, ends and errors in one tree", async () => {
    const key = ours.createKey<number>("key");
    const [root, cancel] = ours.withTimeout(ours.withValue(ours.background, key, 1), "1h");
    let ctx = root;
    // Long enough that each copy builds an index of the other's values.
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

  it("disarms its deadlines when the other copy ends them", () => {
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

  it("has a background that the first copy accepts", () => {
    expect(theirs.background.signal).not.toBe(theirs.background.signal);
    expect(ours.withCancel(theirs.background)[0].err()).toBeUndefined();
    expect(String(ours.withCancel(theirs.todo)[0])).toBe("todo.withCancel");
  });
});
