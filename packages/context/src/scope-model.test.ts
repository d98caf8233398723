import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import {
  afterFunc,
  background,
  type CancelFunc,
  type Context,
  createKey,
  DeadlineExceeded,
  withCancel,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
} from "./index.ts";

// A naive implementation of the cancellation tree: every node is linked, and every deadline is checked when time
// advances. Random sequences of steps must lead to the same state in both.

interface End {
  readonly isDeadline: boolean;
  readonly cause: unknown;
}

class Model {
  readonly children: Model[] = [];
  readonly at: number;
  ended: End | undefined;

  constructor(parent?: Model, at = Infinity) {
    this.at = Math.min(at, parent?.at ?? Infinity);
    this.ended = parent?.ended;
    parent?.children.push(this);
  }

  end(end: End): void {
    if (this.ended !== undefined) return;
    this.ended = end;
    for (const child of this.children) child.end(end);
  }
}

/** A context, its model, and the observed calls. */
interface Pair {
  readonly ctx: Context;
  readonly model: Model;
  readonly cancel: CancelFunc | undefined;
  signal: AbortSignal | undefined;
  readonly callbacks: { calls: number; stopped: boolean; stop: () => boolean }[];
}

const key = createKey<number>("key");
const which = fc.nat(30);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("cancel-child" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("timeout" as const), which, ms: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("value" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("detach" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("signal" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("observe" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("after" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("stop" as const), which, callback: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("check" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(15) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

class Run {
  readonly pairs: Pair[] = [this.pair(background, new Model(), undefined)];
  readonly sources: { controller: AbortController; model: Model }[] = [];
  readonly errors = new Map<End, unknown>();
  causes = 0;

  pair(ctx: Context, model: Model, cancel: CancelFunc | undefined): Pair {
    return { ctx, model, cancel, signal: undefined, callbacks: [] };
  }

  execute(each: Step): void {
    if (each.do === "wait") return this.wait(each.ms);
    const at = this.pairs[each.which % this.pairs.length]!;
    switch (each.do) {
      case "cancel-child": {
        const [ctx, cancel] = withCancel(at.ctx);
        this.pairs.push(this.pair(ctx, new Model(at.model), cancel));
        break;
      }
      case "timeout": {
        const [ctx, cancel] = withTimeout(at.ctx, each.ms);
        const model = new Model(at.model, performance.now() + each.ms);
        if (each.ms === 0) model.end({ isDeadline: true, cause: undefined });
        this.pairs.push(this.pair(ctx, model, cancel));
        break;
      }
      case "value":
        this.pairs.push({ ...at, ctx: withValue(at.ctx, key, 1), callbacks: [] });
        break;
      case "detach":
        this.pairs.push(this.pair(withoutCancel(at.ctx), new Model(), undefined));
        break;
      case "signal": {
        const controller = new AbortController();
        const [ctx, cancel] = withSignal(at.ctx, controller.signal);
        const pair = this.pair(ctx, new Model(at.model), cancel);
        // The time of an abort is only known if something listens to the signal.
        pair.signal = ctx.signal;
        this.pairs.push(pair);
        this.sources.push({ controller, model: pair.model });
        break;
      }
      case "cancel": {
        const cause = this.causes++ % 2 === 0 ? undefined : new Error(`cause ${this.causes}`);
        at.cancel?.(cause);
        if (at.cancel !== undefined) at.model.end({ isDeadline: false, cause });
        break;
      }
      case "abort": {
        const source = this.sources[each.which % Math.max(1, this.sources.length)];
        const cause = new Error("aborted");
        source?.controller.abort(cause);
        source?.model.end({ isDeadline: false, cause });
        break;
      }
      case "observe":
        at.signal = at.ctx.signal;
        break;
      case "after": {
        const callback = { calls: 0, stopped: false, stop: () => false };
        callback.stop = afterFunc(at.ctx, () => void (callback.calls += 1));
        at.callbacks.push(callback);
        break;
      }
      case "stop": {
        const callback = at.callbacks[each.callback % Math.max(1, at.callbacks.length)];
        if (callback === undefined) break;
        const wasLive = at.model.ended === undefined && !callback.stopped;
        expect(callback.stop()).toBe(wasLive);
        callback.stopped ||= wasLive;
        break;
      }
      case "check":
        this.check(at);
        break;
    }
  }

  /** Advances the time, deadline by deadline. */
  wait(ms: number): void {
    vi.advanceTimersByTime(ms);
    const expired = [...new Set(this.pairs.map(({ model }) => model))]
      .filter((model) => model.at <= performance.now())
      .toSorted((a, b) => a.at - b.at);
    // Of equal deadlines the outer ones come first, as they were created first.
    for (const model of expired) model.end({ isDeadline: true, cause: undefined });
  }

  /** Signals must be right at any time. */
  checkSignals(): void {
    for (const { ctx, signal, model } of this.pairs) {
      if (signal === undefined) continue;
      expect(signal.aborted).toBe(model.ended !== undefined);
      // `background` returns a new signal each time.
      if (model !== this.pairs[0]!.model) expect(ctx.signal).toBe(signal);
    }
  }

  check({ ctx, model }: Pair): void {
    const error = ctx.err();
    expect(error === undefined).toBe(model.ended === undefined);
    if (error === undefined || model.ended === undefined) return;
    expect(error instanceof DeadlineExceeded).toBe(model.ended.isDeadline);
    expect(ctx.cause()).toBe(model.ended.cause ?? error);
    // Each end has exactly one error object.
    const known = this.errors.get(model.ended);
    if (known === undefined) expect([...this.errors.values()]).not.toContain(error);
    else expect(error).toBe(known);
    this.errors.set(model.ended, error);
  }

  checkAll(): void {
    for (const pair of this.pairs) {
      this.check(pair);
      for (const { calls, stopped } of pair.callbacks)
        expect(calls).toBe(pair.model.ended !== undefined && !stopped ? 1 : 0);
    }
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** For more runs: `PROPERTY_RUNS=100000 npm test -- packages/context/src/scope-model.test.ts`. */
const numRuns = Number(process.env["PROPERTY_RUNS"] ?? 2_000);

it(`agrees with a naive tree in random sequences of operations (${numRuns} runs)`, { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), async (steps) => {
      const run = new Run();
      for (const each of steps) {
        run.execute(each);
        run.checkSignals();
      }
      await null;
      await null;
      run.checkAll();
      run.wait(100);
      await null;
      await null;
      run.checkSignals();
      run.checkAll();
    }),
    { numRuns },
  );
});
