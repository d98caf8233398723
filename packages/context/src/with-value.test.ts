import { createContextKey, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { background, type Context, createKey, type Key, withCancel, withTimeout, withValue } from "./index.ts";

describe("withValue", () => {
  const [a, b] = [createKey<string>("a"), createKey<string>("a")];

  it("has the value of its key and inherits others (TestValues)", () => {
    const ctx = withValue(withValue(background, a, "of a"), b, "of b");
    expect([ctx.value(a), ctx.value(b), ctx.value(createKey("a"))]).toEqual(["of a", "of b", undefined]);
  });

  it("overrides an earlier value, also with undefined (TestValues)", () => {
    const ctx = withValue(withValue(background, a, "old"), a, "new");
    expect([ctx.value(a), withValue(ctx, a, undefined as never).value(a)]).toEqual(["new", undefined]);
  });

  it("does not affect parents and siblings (TestValues)", () => {
    const parent = withValue(background, a, "parent's");
    withValue(parent, a, "child's");
    expect([parent.value(a), withValue(parent, b, "sibling's").value(a), background.value(a)]).toEqual([
      "parent's",
      "parent's",
      undefined,
    ]);
  });

  it("returns the same object (testLayers)", () => {
    const value = {};
    const key = createKey<object>("object");
    expect(withValue(background, key, value).value(key)).toBe(value);
  });

  it("remains readable after the end (TestLayersCancel)", () => {
    const [ctx, cancel] = withCancel(withValue(background, a, "still here"));
    cancel();
    expect(ctx.value(a)).toBe("still here");
  });

  it("shares deadline and end with its parent", () => {
    const [ctx, cancel] = withTimeout(background, "1h");
    const child = withValue(ctx, a, "x");
    expect(child.signal).toBe(ctx.signal);
    cancel();
    expect(child.err()).toBe(ctx.err());
  });

  it.each([
    ["tenant", 'string "tenant"'],
    [undefined, "undefined"],
    [1, "number 1"],
    [{}, "an object of type Object"],
  ])("rejects %j as a key (TestWithValueChecksKey)", (key, shown) => {
    expect(() => withValue(background, key as never, 1)).toThrow(
      new TypeError(`Cannot bind a value: 'key' must be made by createKey(); received ${shown}`),
    );
  });

  it("createKey rejects an empty name", () => {
    expect(() => createKey("")).toThrow(/'name' must be a string that is not empty; received string ""/);
  });
});

describe("a long list of values", () => {
  it("is searched in a number of steps that depends on its keys only", () => {
    const keys = Array.from({ length: 5 }, (_, i) => createKey<number>(`k${i}`));
    let ctx: Context = background;
    for (let i = 0; i < 100_000; i++) ctx = withValue(ctx, keys[i % 5]!, i);

    let nodes = 0;
    for (let node: Context | undefined = ctx; node; node = (node as unknown as { parent?: Context }).parent) nodes += 1;
    expect(nodes).toBeLessThan(70);
    expect(keys.map((key) => ctx.value(key))).toEqual([99_995, 99_996, 99_997, 99_998, 99_999]);
  });

  it("does not overflow the stack", () => {
    let ctx: Context = background;
    for (let i = 0; i < 100_000; i++) ctx = withCancel(withValue(ctx, createKey("other"), i))[0];
    expect(ctx.value(createKey("absent"))).toBeUndefined();
    expect(ctx.err()).toBeUndefined();
  });

  const keys = Array.from({ length: 8 }, (_, i) => createKey<number>(`k${i}`));
  const step = fc.record({ key: fc.nat(7), value: fc.option(fc.nat(), { nil: undefined }) });

  it.each([
    ["background", background, {}],
    ["a foreign root", ROOT_CONTEXT.setValue(keys[0]!, 100).setValue(keys[1]!, 101), { 0: 100, 1: 101 }],
  ])("agrees with a Map on %s", (_name, root, initial) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 250, size: "max" }), (steps) => {
        const model = new Map<Key<number>, number>(
          Object.entries(initial).map(([i, value]) => [keys[Number(i)]!, value as number]),
        );
        let ctx = withCancel(root)[0];
        for (const { key: i, value } of steps) {
          const key = keys[i]!;
          if (value === undefined) {
            const before = ctx;
            ctx = ctx.deleteValue(key);
            if (!model.delete(key)) expect(ctx).toBe(before);
          } else {
            ctx = ctx.setValue(key, value);
            model.set(key, value);
          }
        }
        expect(keys.map((key) => ctx.value(key))).toEqual(keys.map((key) => model.get(key)));
      }),
    );
  });
});

describe("as an OpenTelemetry context", () => {
  it("keeps deadline and end in contexts that OpenTelemetry derives", () => {
    const [ctx, cancel] = withTimeout(background, "1h");
    const span = trace.wrapSpanContext({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: 1,
    });
    const derived = trace.deleteSpan(trace.setSpan(ctx, span)).setValue(createContextKey("x"), 1) as Context;

    expect(trace.getSpan(trace.setSpan(ctx, span))).toBe(span);
    expect(trace.getSpan(derived)).toBeUndefined();
    cancel();
    expect(derived.err()).toBe(ctx.err());
  });

  it("returns itself if the deleted key is absent", () => {
    const ctx = withValue(background, createKey("x"), 1);
    expect(ctx.deleteValue(createKey("y"))).toBe(ctx);
    const gone = ctx.setValue(createContextKey("z"), 1).deleteValue(createContextKey("z"));
    expect(gone.deleteValue(createContextKey("z"))).toBe(gone);
  });

  it("accepts any OpenTelemetry context as a parent, with its values", () => {
    const key = createContextKey("foreign");
    const [ctx, cancel] = withCancel(ROOT_CONTEXT.setValue(key, "theirs"));
    expect(ctx.getValue(key)).toBe("theirs");
    cancel();
    expect(ctx.err()).toBeDefined();
  });
});
