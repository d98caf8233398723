import { describe, expect, it } from "vitest";

import {
  background,
  Canceled,
  type CancelFunc,
  type Context,
  createKey,
  todo,
  withCancel,
  withoutCancel,
  withTimeout,
  withValue,
} from "./index.ts";

const key = createKey<number>("key");

// The names in parentheses are those of Go's own tests.
describe("withCancel", () => {
  it("returns a context that has not ended (TestWithCancel)", () => {
    const [ctx] = withCancel(background);
    expect([ctx.err(), ctx.cause(), ctx.signal.aborted]).toEqual([undefined, undefined, false]);
    expect(() => ctx.throwIfAborted()).not.toThrow();
  });

  it("ends the context before cancel returns (TestWithCancel)", () => {
    const [ctx, cancel] = withCancel(background);
    const { signal } = ctx;
    cancel();

    expect(ctx.err()).toBeInstanceOf(Canceled);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBe(ctx.err());
    expect(() => ctx.throwIfAborted()).toThrow(ctx.err());
  });

  it.each(["with a listener", "without a listener"])(
    "ends every descendant, %s (XTestParentFinishesChild, TestLayersCancel)",
    (how) => {
      const [ctx, cancel] = withCancel(background);
      const child = withValue(withCancel(withTimeout(withValue(ctx, key, 1), "1h")[0])[0], key, 2);
      const observed = how === "with a listener" ? child.signal : undefined;
      cancel();

      expect(child.err()).toBe(ctx.err());
      expect(observed?.reason ?? ctx.err()).toBe(ctx.err());
    },
  );

  it("of a child ends neither parent nor siblings (XTestChildFinishesFirst)", () => {
    const [parent] = withCancel(background);
    const [child, cancel] = withCancel(parent);
    const [sibling] = withCancel(parent);
    cancel();

    expect(child.err()).toBeDefined();
    expect([parent.err(), sibling.err()]).toEqual([undefined, undefined]);
  });

  it("returns an ended context if the parent has ended (TestWithCancelCanceledParent)", () => {
    const [parent, cancel] = withCancel(background);
    const cause = new Error("over");
    cancel(cause);
    const [child] = withCancel(withValue(parent, key, 1));

    expect(child.err()).toBe(parent.err());
    expect(child.cause()).toBe(cause);
  });

  it("keeps the same error object (TestContextErrDoneRace)", () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    const first = ctx.err();
    cancel(new Error("later"));
    expect(ctx.err()).toBe(first);
  });

  it("cancels at the end of a block with using", () => {
    const [ctx, cancel] = withCancel(background);
    {
      using _ = cancel;
      expect(ctx.err()).toBeUndefined();
    }
    expect(ctx.err()).toBeInstanceOf(Canceled);
    expect(ctx.cause()).toBe(ctx.err());
  });

  it("may be canceled in any order in a tree (TestSimultaneousCancels)", () => {
    const tree: [Context, CancelFunc][] = [withCancel(background)];
    for (let i = 0; tree.length < 101; i++) {
      for (let child = 0; child < 4; child++) tree.push(withCancel(tree[i]![0]));
    }
    const signals = tree.map(([ctx]) => ctx.signal);
    for (const index of tree.keys()) tree[(index * 37) % tree.length]![1]();

    expect(signals.every((signal) => signal.aborted)).toBe(true);
  });

  it("may be canceled during the end of another context (TestInterlockedCancels)", () => {
    const [parent, cancelParent] = withCancel(background);
    const [child, cancelChild] = withCancel(parent);
    parent.signal.addEventListener("abort", () => cancelChild(new Error("mine")));
    const { signal } = child;
    cancelParent();

    expect(child.err()).toBe(parent.err());
    expect(signal.reason).toBe(parent.err());
  });
});

describe("a cause", () => {
  const [pc, cc] = [new Error("parent's"), new Error("child's")];

  it("is the argument of cancel, and the error is Canceled (TestCause: WithCancelCause)", () => {
    const [ctx, cancel] = withCancel(background);
    cancel(pc);
    expect(ctx.err()).toBeInstanceOf(Canceled);
    expect(ctx.err()!.cause).toBe(pc);
    expect(ctx.cause()).toBe(pc);
    expect(ctx.err()!.message).toBe("context canceled: parent's");
  });

  it("is the error itself if cancel had no argument (TestCause: WithCancelCause nil)", () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    expect(ctx.cause()).toBe(ctx.err());
    expect(ctx.err()!.message).toBe("context canceled");
  });

  it("is undefined before the end (TestCause: Background, TODO)", () => {
    expect([background.cause(), todo.cause(), withCancel(background)[0].cause()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each([
    Object.defineProperty(new Error(), "message", {
      get: () => {
        throw new Error("hostile");
      },
    }),
    Object.assign(new Error(), { message: Symbol("s") }),
    new Proxy(new Error("x"), {
      getPrototypeOf: () => {
        throw new Error("hostile");
      },
    }),
  ])("that throws when it is read does not break the cancellation", (cause) => {
    const [ctx, cancel] = withCancel(background);
    const { signal } = ctx;
    expect(() => cancel(cause)).not.toThrow();
    expect(signal.reason).toBe(ctx.err());
    expect(ctx.cause()).toBe(cause);
  });

  it("may be any value", () => {
    const [ctx, cancel] = withCancel(background);
    cancel("closing time");
    expect(ctx.cause()).toBe("closing time");
    expect(ctx.err()!.message).toBe("context canceled: closing time");
  });

  type Step = (parent: CancelFunc, child: CancelFunc) => void;
  const parentFirst =
    (causeOfParent?: Error, causeOfChild?: Error): Step =>
    (parent, child) => (parent(causeOfParent), child(causeOfChild));
  const childFirst =
    (causeOfParent?: Error, causeOfChild?: Error): Step =>
    (parent, child) => (child(causeOfChild), parent(causeOfParent));

  describe.each(["with a listener", "without a listener"])("%s", (how) => {
    it.each<[string, Step, Error | undefined, Error | undefined]>([
      ["parent cause before child", parentFirst(pc, cc), pc, pc],
      ["parent cause after child", childFirst(pc, cc), cc, pc],
      ["parent cause before nil", parentFirst(pc, undefined), pc, pc],
      ["parent cause after nil", childFirst(pc, undefined), undefined, pc],
      ["child cause before nil", childFirst(undefined, cc), cc, undefined],
      ["child cause after nil", parentFirst(undefined, cc), undefined, undefined],
    ])("is that of the first cancel: %s (TestCause)", (_name, step, childs, parents) => {
      const [parent, cancelParent] = withCancel(background);
      const [child, cancelChild] = withCancel(parent);
      if (how === "with a listener") void child.signal;
      step(cancelParent, cancelChild);

      expect(child.err()).toBeInstanceOf(Canceled);
      expect(child.cause()).toBe(childs ?? child.err());
      expect(parent.cause()).toBe(parents ?? parent.err());
    });
  });

  it("is visible in contexts derived by withValue (TestCause)", () => {
    const [ctx, cancel] = withCancel(background);
    cancel(pc);
    expect(withValue(ctx, key, 1).cause()).toBe(pc);
  });

  it("is not visible in contexts derived by withoutCancel (TestCause: WithoutCancel canceled)", () => {
    const [ctx, cancel] = withCancel(background);
    cancel(pc);
    expect([withoutCancel(ctx).err(), withoutCancel(ctx).cause()]).toEqual([undefined, undefined]);
  });
});

describe("an invalid parent", () => {
  const wanted = "it needs a Context as its first argument, such as current() or background";
  it.each([
    [undefined, "undefined"],
    [null, "null"],
    [{}, "an object of type Object"],
    ["background", 'string "background"'],
  ])("%s is rejected (TestInvalidDerivedFail)", (parent, shown) => {
    for (const derive of [
      withCancel,
      withoutCancel,
      (p: never) => withTimeout(p, 1),
      (p: never) => withValue(p, key, 1),
    ]) {
      expect(() => derive(parent as never)).toThrow(
        new TypeError(`Cannot derive a context: ${wanted}; received ${shown}`),
      );
    }
  });
});
