import { getEventListeners } from "node:events";

import { afterEach, describe, expect, it, vi } from "vitest";

import { afterFunc, background, Canceled, DeadlineExceeded, withCancel, withSignal, withTimeout } from "./index.ts";

afterEach(() => void vi.useRealTimers());

describe("withSignal", () => {
  it("ends when the signal aborts, with its reason as the cause (TestCustomContextPropagation)", () => {
    const controller = new AbortController();
    const [ctx] = withSignal(background, controller.signal);
    const { signal } = ctx;
    const reason = new Error("the socket closed");
    controller.abort(reason);

    expect(ctx.err()).toBeInstanceOf(Canceled);
    expect(ctx.cause()).toBe(reason);
    expect(signal.reason).toBe(ctx.err());
  });

  it("is detected by err() without a listener on the signal", () => {
    const controller = new AbortController();
    const [ctx] = withSignal(background, controller.signal);
    const [child] = withCancel(ctx);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    controller.abort();

    expect(child.err()).toBe(ctx.err());
    expect(child.err()).toBeInstanceOf(Canceled);
  });

  it("has already ended if the signal has aborted", () => {
    const [ctx] = withSignal(background, AbortSignal.abort("over"));
    expect([ctx.signal.aborted, ctx.cause()]).toEqual([true, "over"]);
  });

  it("removes its listener when the parent ends or it is canceled", () => {
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

  it("removes its listener when the last callback is stopped (TestCustomContextAfterFuncUnregisterCancel)", () => {
    const { signal } = new AbortController();
    const [ctx] = withSignal(background, signal);
    const stops = [afterFunc(ctx, () => {}), afterFunc(ctx, () => {})];
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    for (const stop of stops) stop();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("ends even if another listener stops the propagation of the event", () => {
    const controller = new AbortController();
    controller.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
    const [ctx] = withSignal(background, controller.signal);
    const { signal } = ctx;
    controller.abort();
    expect(signal.aborted).toBe(true);
  });

  it("ends an aborted signal's context before any deadline below it", () => {
    vi.useFakeTimers();
    const [parent] = withSignal(background, AbortSignal.abort("over"));
    const [child] = withTimeout(parent, 10);
    vi.advanceTimersByTime(20);
    expect(child.err()).toBe(parent.err());
    expect(child.cause()).toBe("over");
  });

  it.each(["first", "last"])(
    "has the error of a deadline above that passed before, whichever context is polled %s",
    (order) => {
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
    },
  );

  it("ends all contexts of the signal with one error before it notifies any", () => {
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

  it("follows the signal again for a new listener", () => {
    const controller = new AbortController();
    const [ctx] = withSignal(background, controller.signal);
    afterFunc(ctx, () => {})();
    const { signal } = ctx;
    controller.abort();
    expect(signal.aborted).toBe(true);
  });

  it("has the same error object if the reason is a context error", () => {
    vi.useFakeTimers();
    const [other] = withTimeout(background, 10);
    const [ctx] = withSignal(background, other.signal);
    const { signal } = ctx;
    vi.advanceTimersByTime(10);

    expect(ctx.err()).toBe(other.err());
    expect(signal.reason).toBe(other.err());
  });

  it("does not cause a listener warning for many contexts of one signal", async () => {
    const warned = vi.fn();
    process.on("warning", warned);
    const { signal } = new AbortController();
    const contexts = Array.from({ length: 100 }, () => withSignal(background, signal)[0].signal);
    await new Promise(setImmediate);
    process.off("warning", warned);

    expect(contexts).toHaveLength(100);
    expect(warned).not.toHaveBeenCalled();
  });

  it.each([undefined, {}, "signal"])("rejects %j as a signal", (signal) => {
    expect(() => withSignal(background, signal as never)).toThrow(/'signal' must be an AbortSignal/);
  });
});
