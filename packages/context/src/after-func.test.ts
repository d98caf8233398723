import { AsyncLocalStorage } from "node:async_hooks";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { afterFunc, background, type Context, current, run, withCancel, withTimeout } from "./index.ts";

describe("afterFunc", () => {
  it("calls the function once, after cancel has returned (TestAfterFuncCalledAfterCancel)", async () => {
    const [ctx, cancel] = withCancel(background);
    const called = vi.fn();
    afterFunc(ctx, called);
    cancel();
    cancel();

    expect(called).not.toHaveBeenCalled();
    await null;
    expect(called).toHaveBeenCalledOnce();
  });

  it("calls the function after the deadline (TestAfterFuncCalledAfterTimeout)", async () => {
    vi.useFakeTimers();
    const called = vi.fn();
    afterFunc(withTimeout(background, 10)[0], called);
    await vi.advanceTimersByTimeAsync(9);
    expect(called).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(called).toHaveBeenCalledOnce();
    vi.useRealTimers();
  });

  it("calls the function asynchronously if the context has ended (TestAfterFuncCalledImmediately)", async () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    const called = vi.fn();
    const stop = afterFunc(ctx, called);

    expect(called).not.toHaveBeenCalled();
    expect(stop()).toBe(false);
    await null;
    expect(called).toHaveBeenCalledOnce();
  });

  it("does not call a function that was stopped (TestAfterFuncNotCalledAfterStop)", async () => {
    const [ctx, cancel] = withCancel(background);
    const called = vi.fn();
    const stop = afterFunc(ctx, called);

    expect([stop(), stop()]).toEqual([true, false]);
    cancel();
    await null;
    expect(called).not.toHaveBeenCalled();
  });

  it("cannot be stopped after the context has ended, even before the call", async () => {
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

  it("stops one of several callbacks without affecting the others", async () => {
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

  it("on a context that never ends, the first stop returns true", () => {
    const stop = afterFunc(background, () => {});
    expect([stop(), stop()]).toEqual([true, false]);
  });

  it("runs with its context as the current one and the stores of its registration", async () => {
    const other = new AsyncLocalStorage<string>();
    const [ctx, cancel] = withCancel(background);
    const seen = Promise.withResolvers<[Context, string | undefined]>();
    other.run("the registering request's", () => afterFunc(ctx, () => seen.resolve([current(), other.getStore()])));
    run(withCancel(background)[0], () => other.run("the canceling request's", () => cancel()));

    const [context, store] = await seen.promise;
    expect(context).toBe(ctx);
    expect(store).toBe("the registering request's");
  });

  it("does not run in the stores of the request whose deadline created the shared timer", async () => {
    const other = new AsyncLocalStorage<string>();
    const seen = Promise.withResolvers<string | undefined>();
    other.run("the first request's", () => afterFunc(withTimeout(background, 5)[0], () => {}));
    const [ctx] = withTimeout(background, 6);
    ctx.signal.addEventListener("abort", () => seen.resolve(other.getStore()));

    expect(await seen.promise).toBeUndefined();
  });

  it("works after queueMicrotask was faked and restored", async () => {
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

  it.each([undefined, "fn"])("rejects %s as the function", (fn) => {
    expect(() => afterFunc(background, fn as never)).toThrow(
      /Cannot wait for a context to end: 'fn' must be a function/,
    );
  });
});

describe("a callback that throws", () => {
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

  it("does not affect other callbacks and becomes an uncaught exception", async () => {
    const [ctx, cancel] = withCancel(background);
    const [child] = withCancel(ctx);
    const notified: string[] = [];
    const errors = [new Error("callback"), new Error("listener")];
    afterFunc(ctx, () => void notified.push("first"));
    afterFunc(ctx, () => {
      throw errors[0];
    });
    afterFunc(child, () => void notified.push("below"));
    ctx.signal.addEventListener("abort", () => {
      throw errors[1];
    });
    child.signal.addEventListener("abort", () => notified.push("signal below"));

    expect(cancel).not.toThrow();
    await new Promise(setImmediate);
    expect(notified.toSorted()).toEqual(["below", "first", "signal below"]);
    expect(uncaught).toHaveLength(2);
    expect(uncaught).toEqual(expect.arrayContaining(errors));
  });
});
