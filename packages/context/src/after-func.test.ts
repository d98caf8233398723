import { AsyncLocalStorage } from "node:async_hooks";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { afterFunc, background, type Context, current, run, withCancel, withTimeout } from "./index.ts";

describe("afterFunc", () => {
  it("is called once, after the context was cancelled, and not by the cancel itself (TestAfterFuncCalledAfterCancel)", async () => {
    const [ctx, cancel] = withCancel(background);
    const called = vi.fn();
    afterFunc(ctx, called);
    cancel();
    cancel();

    expect(called).not.toHaveBeenCalled();
    await null;
    expect(called).toHaveBeenCalledOnce();
  });

  it("is called after the deadline (TestAfterFuncCalledAfterTimeout)", async () => {
    vi.useFakeTimers();
    const called = vi.fn();
    afterFunc(withTimeout(background, 10)[0], called);
    await vi.advanceTimersByTimeAsync(9);
    expect(called).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(called).toHaveBeenCalledOnce();
    vi.useRealTimers();
  });

  it("is called later, too, on a context that has ended (TestAfterFuncCalledImmediately)", async () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    const called = vi.fn();
    const stop = afterFunc(ctx, called);

    expect(called).not.toHaveBeenCalled();
    expect(stop()).toBe(false);
    await null;
    expect(called).toHaveBeenCalledOnce();
  });

  it("is not called once it was stopped (TestAfterFuncNotCalledAfterStop)", async () => {
    const [ctx, cancel] = withCancel(background);
    const called = vi.fn();
    const stop = afterFunc(ctx, called);

    expect([stop(), stop()]).toEqual([true, false]);
    cancel();
    await null;
    expect(called).not.toHaveBeenCalled();
  });

  it("cannot be stopped any more once the context has ended, not even before the call", async () => {
    const [ctx, cancel] = withCancel(background);
    const called = vi.fn();
    const stop = afterFunc(ctx, called);
    let stopped: boolean | undefined;
    ctx.signal.addEventListener("abort", () => (stopped = stop()));
    cancel();

    expect(stopped).toBe(false);
    await null;
    expect(called).toHaveBeenCalledOnce();
  });

  it("is one of several that know nothing of each other", async () => {
    const [ctx, cancel] = withCancel(background);
    const [first, second, third] = [vi.fn(), vi.fn(), vi.fn()];
    afterFunc(ctx, first);
    const stop = afterFunc(ctx, second);
    afterFunc(ctx, third);
    stop();
    cancel();
    await null;
    expect([first, second, third].map((each) => each.mock.calls.length)).toEqual([1, 0, 1]);
  });

  it("on a context that never ends is never called, and its first stop is true", () => {
    const stop = afterFunc(background, () => {});
    expect([stop(), stop()]).toEqual([true, false]);
  });

  it("runs with its context as the current one, and every other store as it was where it was set up", async () => {
    const other = new AsyncLocalStorage<string>();
    const [ctx, cancel] = withCancel(background);
    const seen = Promise.withResolvers<[Context, string | undefined]>();
    other.run("registrant's", () => afterFunc(ctx, () => seen.resolve([current(), other.getStore()])));
    run(withCancel(background)[0], () => other.run("canceller's", () => cancel()));

    const [context, store] = await seen.promise;
    expect(context).toBe(ctx);
    expect(store).toBe("registrant's");
  });

  it("runs in nobody else's store where a deadline's timer was set by somebody else", async () => {
    const other = new AsyncLocalStorage<string>();
    const seen = Promise.withResolvers<string | undefined>();
    other.run("the first request's", () => afterFunc(withTimeout(background, 5)[0], () => {}));
    const [ctx] = withTimeout(background, 6);
    ctx.signal.addEventListener("abort", () => seen.resolve(other.getStore()));

    expect(await seen.promise).toBeUndefined();
  });

  it("goes on after a microtask queue that was faked and taken away", async () => {
    vi.useFakeTimers({ toFake: ["queueMicrotask"] });
    const [first, cancelFirst] = withCancel(background);
    afterFunc(first, () => {});
    cancelFirst();
    vi.useRealTimers();
    const [second, cancelSecond] = withCancel(background);
    const called = vi.fn();
    afterFunc(second, called);
    cancelSecond();
    await null;
    await null;
    expect(called).toHaveBeenCalledOnce();
  });

  it.each([undefined, "fn"])("refuses %s for a function", (fn) => {
    expect(() => afterFunc(background, fn as never)).toThrow(
      /Cannot wait for a context to end: 'fn' must be a function/,
    );
  });
});

describe("one that throws", () => {
  let uncaught: unknown[] = [];
  let listeners: NodeJS.UncaughtExceptionListener[] = [];
  beforeEach(() => {
    uncaught = [];
    listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => uncaught.push(error));
  });
  afterEach(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  });

  it("keeps nobody from being told, and comes out as an uncaught exception", async () => {
    const [ctx, cancel] = withCancel(background);
    const [child] = withCancel(ctx);
    const told: string[] = [];
    const errors = [new Error("callback"), new Error("listener")];
    afterFunc(ctx, () => void told.push("first"));
    afterFunc(ctx, () => {
      throw errors[0];
    });
    afterFunc(child, () => void told.push("below"));
    ctx.signal.addEventListener("abort", () => {
      throw errors[1];
    });
    child.signal.addEventListener("abort", () => told.push("signal below"));

    expect(cancel).not.toThrow();
    await new Promise(setImmediate);
    expect(told.toSorted()).toEqual(["below", "first", "signal below"]);
    expect(uncaught).toHaveLength(2);
    expect(uncaught).toEqual(expect.arrayContaining(errors));
  });
});
