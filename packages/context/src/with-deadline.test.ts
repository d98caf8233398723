import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import {
  background,
  Canceled,
  DeadlineExceeded,
  withCancel,
  withDeadline,
  withoutCancel,
  withTimeout,
  withValue,
  createKey,
} from "./index.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a deadline", () => {
  it("ends the context at its time, not before (TestDeadline, TestTimeout)", () => {
    const [ctx] = withTimeout(background, 50);
    const { signal } = ctx;
    vi.advanceTimersByTime(49);
    expect([ctx.err(), signal.aborted]).toEqual([undefined, false]);
    vi.advanceTimersByTime(1);

    expect(ctx.err()).toBeInstanceOf(DeadlineExceeded);
    expect(signal.reason).toBe(ctx.err());
  });

  it("is detected by err() without a timer or a listener", () => {
    const [ctx] = withTimeout(background, 50);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(50);
    expect(ctx.err()).toBeInstanceOf(DeadlineExceeded);
  });

  it("is detected by err() if its timer is late, as after a busy loop", () => {
    const [ctx] = withTimeout(background, 50);
    const { signal } = ctx;
    vi.setSystemTime(Date.now()); // The clock of timers stops; the monotonic clock advances.
    const { now } = performance;
    const spy = vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + 60);
    expect(ctx.err()).toBeInstanceOf(DeadlineExceeded);
    expect(signal.aborted).toBe(true);
    spy.mockRestore();
  });

  it("has the given cause, or else the error itself (TestCause: WithTimeoutCause)", () => {
    const cause = new Error("too slow");
    const [withCause] = withTimeout(background, 5, { cause });
    const [without] = withTimeout(background, 5);
    vi.advanceTimersByTime(5);

    expect(withCause.cause()).toBe(cause);
    expect(withCause.err()!.cause).toBe(cause);
    expect(without.cause()).toBe(without.err());
  });

  it("reports budget, source and elapsed time in the error", () => {
    const [ctx] = withTimeout(background, 1480, { source: "grpc-timeout header" });
    vi.advanceTimersByTime(1500);

    expect(ctx.err()).toMatchObject({ budget: 1480, elapsed: 1500, source: "grpc-timeout header", timeout: true });
    expect(ctx.err()!.message).toBe(
      "context deadline exceeded: budget 1480 ms set by grpc-timeout header, elapsed 1500 ms",
    );
  });

  it.each([
    ["withTimeout of 0", () => withTimeout(background, 0)],
    ["withTimeout of 0ms", () => withTimeout(background, "0ms")],
    ["withDeadline now", () => withDeadline(background, Date.now())],
    ["withDeadline in the past", () => withDeadline(background, new Date(Date.now() - 1000))],
  ])("that has passed ends the context before it is returned: %s (TestDeadline)", (_name, derive) => {
    const [ctx, cancel] = derive();
    cancel(new Error("too late to matter"));

    expect(ctx.signal.aborted).toBe(true);
    expect(ctx.err()).toBeInstanceOf(DeadlineExceeded);
    expect(ctx.cause()).toBe(ctx.err());
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not apply its cause to an earlier cancel (TestCause: WithTimeoutCause canceled)", () => {
    const [ctx, cancel] = withTimeout(background, 50, { cause: new Error("too slow") });
    cancel();
    vi.advanceTimersByTime(50);

    expect(ctx.err()).toBeInstanceOf(Canceled);
    expect(ctx.cause()).toBe(ctx.err());
  });

  it("of the parent stays in force if the child's is later (TestDeadline)", () => {
    const cause = new Error("the parent's");
    const [parent] = withTimeout(background, 10, { cause });
    const [child] = withTimeout(withValue(parent, createKey("x"), 1), 1000, { cause: new Error("dropped") });

    expect(child.deadline).toEqual(parent.deadline);
    vi.advanceTimersByTime(10);
    expect(child.cause()).toBe(cause);
    expect(child.err()).toBe(parent.err());
  });

  it("of the parent stays in force if the child's is equal", () => {
    const [parent] = withTimeout(background, 10, { source: "parent" });
    const [child] = withTimeout(parent, 10, { source: "child" });
    vi.advanceTimersByTime(10);
    expect(child.err()).toBe(parent.err());
  });

  it("of the child is in force if it is earlier", () => {
    const [parent] = withTimeout(background, 1000);
    const [child] = withTimeout(parent, 10);
    vi.advanceTimersByTime(10);
    expect([child.err(), parent.err()]).toEqual([expect.any(DeadlineExceeded), undefined]);
  });

  it("is not inherited through withoutCancel (TestWithoutCancel)", () => {
    const [parent] = withTimeout(background, 10);
    const [child] = withTimeout(withoutCancel(parent), 100);
    vi.advanceTimersByTime(99);
    expect(child.err()).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(child.err()).toBeInstanceOf(DeadlineExceeded);
  });

  it("that has passed is not the reason if the parent has ended before", () => {
    const [parent, cancel] = withCancel(background);
    cancel();
    expect(withTimeout(parent, 0)[0].err()).toBe(parent.err());
  });

  it("that has passed is not the reason if a parent with a deadline has ended before", () => {
    const [parent, cancel] = withTimeout(background, "1h");
    cancel();
    expect(withTimeout(parent, 0)[0].err()).toBe(parent.err());
  });

  it("that passed before the parent's end is the reason, even if its timer is late", () => {
    const [parent, cancel] = withCancel(background);
    const [child] = withTimeout(parent, 10);
    const [grandchild] = withCancel(child);
    const { signal } = grandchild;
    const { now } = performance;
    const spy = vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + 20);
    cancel(new Error("later"));

    expect(signal.reason).toBeInstanceOf(DeadlineExceeded);
    expect(signal.reason).toBe(child.err());
    expect(parent.err()).toBeInstanceOf(Canceled);
    spy.mockRestore();
  });

  it("that passed before the parent's end is the reason, even if it was not polled", () => {
    const [parent, cancel] = withCancel(background);
    const [child] = withTimeout(parent, 10);
    vi.advanceTimersByTime(20);
    cancel(new Error("later"));

    expect(child.err()).toBeInstanceOf(DeadlineExceeded);
    expect(parent.err()).toBeInstanceOf(Canceled);
  });

  it("is disarmed by an earlier cancel of the parent (TestCause: stacked canceled)", () => {
    const [parent, cancel] = withCancel(background);
    const [child] = withTimeout(parent, 10);
    const { signal } = child;
    cancel(new Error("first"));
    vi.advanceTimersByTime(20);

    expect(child.err()).toBe(parent.err());
    expect(signal.reason).toBe(parent.err());
  });

  it("ends all descendants with the same error (TestLayersTimeout)", () => {
    const [ctx] = withTimeout(background, 10);
    const child = withCancel(withValue(withCancel(ctx)[0], createKey("x"), 1))[0];
    const { signal } = child;
    vi.advanceTimersByTime(10);
    expect(signal.reason).toBe(ctx.err());
    expect(child.err()).toBe(ctx.err());
  });

  it("remains readable after the end, and never changes", () => {
    const at = new Date(Date.now() + 50);
    const [ctx, cancel] = withDeadline(background, at);
    cancel();
    expect(ctx.deadline).toEqual(at);
    ctx.deadline!.setTime(0);
    expect(ctx.deadline).toEqual(at);
    expect(withCancel(ctx)[0].deadline).toEqual(at);
    expect(withoutCancel(ctx).deadline).toBeUndefined();
  });

  it("has a remaining time that is never negative", () => {
    const [ctx] = withTimeout(background, "1m");
    vi.advanceTimersByTime(1000);
    expect(ctx.remaining()).toBe(59_000);
    vi.advanceTimersByTime(100_000);
    expect(ctx.remaining()).toBe(0);
    expect(background.remaining()).toBe(Infinity);
  });
});

describe("the clock", () => {
  it.each(["100d", "365d"] as const)("a timeout of %s, longer than a Node timer, ends at its time", (timeout) => {
    const [ctx] = withTimeout(background, timeout);
    const { signal } = ctx;
    const total = ctx.remaining();
    vi.advanceTimersByTime(total - 1);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.aborted).toBe(true);
  });

  it.each([-86_400_000, 86_400_000])("a change of the wall clock by %d ms does not affect deadlines", (jump) => {
    const [timeout] = withTimeout(background, 50);
    const [deadline] = withDeadline(background, Date.now() + 50);
    const { signal } = timeout;
    const before = timeout.deadline;
    vi.setSystemTime(Date.now() + jump);

    expect(timeout.deadline).toEqual(before);
    expect([timeout.err(), deadline.err(), deadline.remaining()]).toEqual([undefined, undefined, 50]);
    vi.advanceTimersByTime(50);
    expect(signal.aborted).toBe(true);
    expect(deadline.err()).toBeInstanceOf(DeadlineExceeded);
  });
});

describe("a timeout that is zero or negative", () => {
  it.each([0, -1, -0.5, -8.64e15])("of %j milliseconds has already ended, with a budget of 0", (timeout) => {
    const [ctx] = withTimeout(background, timeout);
    expect(ctx.err()).toBeInstanceOf(DeadlineExceeded);
    expect(ctx.err()).toMatchObject({ budget: 0 });
    expect(ctx.remaining()).toBe(0);
  });
});

describe("invalid durations and times", () => {
  it("withTimeout rejects strings without a known unit", () => {
    for (const timeout of ["5", "1y", "2 hours"])
      expect(() => withTimeout(background, timeout as never)).toThrow(RangeError);
  });

  it("withTimeout rejects a cause that is not in an options object", () => {
    expect(() => withTimeout(background, 1, new Error("too slow"))).toThrow(
      /'options' must be an object such as \{ cause \}/,
    );
    expect(() => withTimeout(background, 1, { casue: 1 } as never)).toThrow(/there is no option 'casue'/);
  });

  it("withTimeout accepts the longest duration of a Date", () => {
    expect(withTimeout(background, 8.64e15)[0].deadline!.getTime()).toBe(8.64e15);
  });

  it.each([Number.NaN, Infinity, -Infinity, 8.65e15, "soon", "", "1 fortnight", "-1s", "1e3s"])(
    "withTimeout rejects %j",
    (timeout) => {
      expect(() => withTimeout(background, timeout as never)).toThrow(RangeError);
      expect(() => withTimeout(background, timeout as never)).toThrow(
        /Cannot derive a context: 'timeout' must be zero or more milliseconds, or a duration such as "250ms".*received/,
      );
    },
  );

  it.each([undefined, null, {}, 5n])("withTimeout rejects %s", (timeout) => {
    expect(() => withTimeout(background, timeout as never)).toThrow(TypeError);
  });

  it.each([new Date("nonsense"), Number.NaN, Infinity, 9e15])("withDeadline rejects %s", (at) => {
    expect(() => withDeadline(background, at)).toThrow(RangeError);
  });

  it.each([undefined, "tomorrow", 5n])("withDeadline rejects %s", (at) => {
    expect(() => withDeadline(background, at as never)).toThrow(
      /'at' must be a valid Date or milliseconds since the epoch/,
    );
  });

  it.each([
    ["250ms", 250],
    ["2s", 2000],
    ["1.5s", 1500],
    ["1m", 60_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    [0.5, 0.5],
  ] as const)("withTimeout reads %s as %d ms", (timeout, ms) => {
    expect(withTimeout(background, timeout)[0].remaining()).toBe(ms);
  });
});
