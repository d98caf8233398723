import { afterEach, expect, it, vi } from "vitest";

import { afterFunc, background, createKey, withCancel, withoutCancel, withTimeout, withValue } from "./index.ts";

afterEach(() => void vi.useRealTimers());

it.each(["before", "after"])("never ends if the parent ends %s (TestWithoutCancel)", (when) => {
  vi.useFakeTimers();
  const [parent, cancel] = withTimeout(background, 10);
  if (when === "before") cancel();
  const ctx = withoutCancel(parent);
  const { signal } = ctx;
  cancel();
  vi.advanceTimersByTime(20);

  expect([ctx.err(), ctx.cause(), ctx.deadline, signal.aborted]).toEqual([undefined, undefined, undefined, false]);
});

it("has the parent's values (TestWithoutCancel)", () => {
  const key = createKey<string>("key");
  expect(withoutCancel(withValue(background, key, "kept")).value(key)).toBe("kept");
});

it("detaches all descendants from the parent", async () => {
  const [parent, cancel] = withCancel(background);
  const [child] = withCancel(withoutCancel(parent));
  const called = vi.fn();
  afterFunc(child, called);
  cancel();
  expect(child.err()).toBeUndefined();
  await null;
  await null;
  expect(called).not.toHaveBeenCalled();
});

it("has its own signal, which stays the same", () => {
  const ctx = withoutCancel(background);
  expect(ctx.signal).toBe(ctx.signal);
  expect(ctx.signal).not.toBe(withoutCancel(background).signal);
});
