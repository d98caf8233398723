import { getEventListeners } from "node:events";

import { afterEach, describe, expect, it, vi } from "vitest";

import { afterFunc, background, Canceled, DeadlineExceeded, withCancel, withSignal, withTimeout } from "./index.ts";

afterEach(() => void vi.useRealTimers());

describe("withSignal", () => {
  it("ends with the signal, whose reason is the cause (TestCustomContextPropagation)", () => {
    const controller = new AbortController();
    const [ctx] = withSignal(background, controller.signal);
    const { signal } = ctx;
    const reason = new Error("the socket closed");
    controller.abort(reason);

    expect(ctx.err()).toBeInstanceOf(Canceled);
    expect(ctx.cause()).toBe(reason);
    expect(signal.reason).toBe(ctx.err());
  });

  it("is seen by whoever asks, though nobody observes and the signal has no listener", () => {
    const controller = new AbortController();
    const [ctx] = withSignal(background, controller.signal);
    const [child] = withCancel(ctx);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    controller.abort();

    expect(child.err()).toBe(ctx.err());
    expect(child.err()).toBeInstanceOf(Canceled);
  });

  it("has ended already with a signal that has aborted", () => {
    const [ctx] = withSignal(background, AbortSignal.abort("over"));
    expect([ctx.signal.aborted, ctx.cause()]).toEqual([true, "over"]);
  });

  it("ends with its parent or by its cancel, and then leaves the signal alone", () => {
    const { signal } = new AbortController();
    const [parent, cancelParent] = withCancel(background);
    const [a] = withSignal(parent, signal);
    const [b, cancelB] = withSignal(background, signal);
    void [a.signal, b.signal];
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    cancelParent();
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    cancelB();

    expect(a.err()).toBe(parent.err());
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("leaves the signal when its last observer stops (TestCustomContextAfterFuncUnregisterCancel)", () => {
    const { signal } = new AbortController();
    const [ctx] = withSignal(background, signal);
    const stops = [afterFunc(ctx, () => {}), afterFunc(ctx, () => {})];
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    for (const stop of stops) stop();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("hears an abort that another listener keeps to itself", () => {
    const controller = new AbortController();
    controller.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
    const [ctx] = withSignal(background, controller.signal);
    const { signal } = ctx;
    controller.abort();
    expect(signal.aborted).toBe(true);
  });

  it("has ended at birth with a signal that has aborted, before any deadline below can pass", () => {
    vi.useFakeTimers();
    const [parent] = withSignal(background, AbortSignal.abort("over"));
    const [child] = withTimeout(parent, 10);
    vi.advanceTimersByTime(20);
    expect(child.err()).toBe(parent.err());
    expect(child.cause()).toBe("over");
  });

  it.each(["first", "last"])("yields to a deadline above that passed before, whoever is asked %s", (order) => {
    vi.useFakeTimers();
    const controller = new AbortController();
    const [parent] = withTimeout(background, 10);
    const [ctx] = withSignal(parent, controller.signal);
    const [child] = withCancel(ctx);
    vi.advanceTimersByTime(20);
    controller.abort();
    const contexts = order === "first" ? [child, ctx, parent] : [parent, ctx, child];

    expect(new Set(contexts.map((each) => each.err())).size).toBe(1);
    expect(child.err()).toBeInstanceOf(DeadlineExceeded);
  });

  it("has ended for all who hang on the signal before any of them is told, by one error", () => {
    const controller = new AbortController();
    const [a] = withSignal(background, controller.signal);
    const [b, cancel] = withSignal(withSignal(background, controller.signal)[0], controller.signal);
    const seen: unknown[] = [];
    controller.signal.addEventListener("abort", () => {
      seen.push(b.err());
      cancel(new Error("mine"));
    });
    for (const ctx of [a, b]) ctx.signal.addEventListener("abort", () => seen.push(a.err(), b.err()));
    controller.abort(new Error("theirs"));

    expect(new Set(seen)).toEqual(new Set([a.err()]));
    expect((b.cause() as Error).message).toBe("theirs");
  });

  it("is heard again by one who observes anew after the last had left", () => {
    const controller = new AbortController();
    const [ctx] = withSignal(background, controller.signal);
    afterFunc(ctx, () => {})();
    const { signal } = ctx;
    controller.abort();
    expect(signal.aborted).toBe(true);
  });

  it("goes on as the same error where the reason is one of a context", () => {
    vi.useFakeTimers();
    const [other] = withTimeout(background, 10);
    const [ctx] = withSignal(background, other.signal);
    const { signal } = ctx;
    vi.advanceTimersByTime(10);

    expect(ctx.err()).toBe(other.err());
    expect(signal.reason).toBe(other.err());
  });

  it("warns of no listeners, however many contexts hang on one signal", async () => {
    const warned = vi.fn();
    process.on("warning", warned);
    const { signal } = new AbortController();
    const contexts = Array.from({ length: 100 }, () => withSignal(background, signal)[0].signal);
    await new Promise(setImmediate);
    process.off("warning", warned);

    expect(contexts).toHaveLength(100);
    expect(warned).not.toHaveBeenCalled();
  });

  it.each([undefined, {}, "signal"])("refuses %j for a signal", (signal) => {
    expect(() => withSignal(background, signal as never)).toThrow(/'signal' must be an AbortSignal/);
  });
});
