import { inspect } from "node:util";

import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { expect, it } from "vitest";

import { background, createKey, todo, withCancel, withoutCancel, withSignal, withTimeout, withValue } from "./index.ts";

const secret = createKey<unknown>("secret");

it.each([
  [background, "background"],
  [todo, "todo"],
  [withCancel(background)[0], "background.withCancel"],
  [withTimeout(background, 0)[0], "background.withTimeout(0ms, over)"],
  [withSignal(background, new AbortController().signal)[0], "background.withSignal"],
  [withoutCancel(withCancel(background)[0]), "background.withCancel.withoutCancel"],
  [withValue(background, secret, "s3cret"), "background.withValue(secret: string)"],
  [withValue(background, secret, { password: "s3cret" }), "background.withValue(secret: Object)"],
  [withValue(background, secret, new Map([["s3cret", 1]])), "background.withValue(secret: Map)"],
  [withValue(background, secret, null), "background.withValue(secret: null)"],
  [withCancel(ROOT_CONTEXT.setValue(secret, "s3cret"))[0], "adopted(BaseContext).withCancel"],
])("String(ctx) lists derivations without the content of values: %s (TestValues, testLayers)", (ctx, description) => {
  expect(String(ctx)).toBe(description);
  expect(inspect({ ctx }, { depth: 9 })).toBe(`{ ctx: Context <${description}> }`);
  expect(JSON.stringify({ ctx })).toBe(JSON.stringify({ ctx: description }));
});

it("String(ctx) shows the remaining time (TestDeadline)", () => {
  expect(String(withTimeout(background, "90s")[0])).toBe("background.withTimeout(90s, 90s left)");
});

it("String(ctx) of a long list shows each key once, and all scopes", () => {
  let [ctx] = withCancel(background);
  for (let i = 0; i < 100; i++) ctx = withValue(ctx, secret, i);
  expect(String(ctx)).toMatch(/^background\.withCancel\.values\(secret\)(\.withValue\(secret: number\))+$/);
});

it("String(ctx) shows the keys of OpenTelemetry", () => {
  const ctx = trace.setSpanContext(background, {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
  });
  expect(String(ctx)).toBe("background.withValue(OpenTelemetry Context Key SPAN: NonRecordingSpan)");
});
