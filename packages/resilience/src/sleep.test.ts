import { background, DeadlineExceeded, withCancel, withTimeout } from "@throughline/context";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { sleep } from "./sleep.ts";

describe("sleep", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("resolves after the duration, not before", async () => {
    const slept = vi.fn();
    void sleep(background, "1s").then(slept);

    await vi.advanceTimersByTimeAsync(999);
    expect(slept).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(slept).toHaveBeenCalledOnce();
  });

  it("rejects with the context's error when it is canceled, and clears its timer", async () => {
    const [ctx, cancel] = withCancel(background);
    const slept = sleep(ctx, "1h");
    cancel(new Error("enough"));

    await expect(slept).rejects.toBe(ctx.err());
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects at the deadline", async () => {
    const [ctx] = withTimeout(background, 20);
    const slept = sleep(ctx, "1h");
    const rejection = slept.catch((error: unknown) => error);

    await vi.advanceTimersByTimeAsync(20);
    expect(await rejection).toBe(ctx.err());
    expect(ctx.err()).toBeInstanceOf(DeadlineExceeded);
  });

  it("rejects immediately in a context that has ended", async () => {
    const [ctx, cancel] = withCancel(background);
    cancel();

    await expect(sleep(ctx, "1h")).rejects.toBe(ctx.err());
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not round down fractions of a millisecond", async () => {
    const slept = vi.fn();
    void sleep(background, 1.9).then(slept);
    await vi.advanceTimersByTimeAsync(1);
    expect(slept).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(slept).toHaveBeenCalledOnce();
  });

  it("sleeps for a hundred days, longer than a Node timer", async () => {
    const slept = vi.fn();
    void sleep(background, "100d").then(slept);

    await vi.advanceTimersByTimeAsync(99 * 86_400_000);
    expect(slept).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(slept).toHaveBeenCalledOnce();
  });

  it("rejects an invalid duration", async () => {
    await expect(sleep(background, Number.NaN)).rejects.toThrow(RangeError);
  });
});
