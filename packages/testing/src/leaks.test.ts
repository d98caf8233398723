import { afterFunc, background, run, withCancel, withTimeout, withValue, createKey } from "@throughline/context";
import { callAfter } from "@throughline/context/internal";
import { createFetch } from "@throughline/fetch";
import { afterEach, expect, it } from "vitest";

import { inContext } from "./in-context.ts";
import { assertNoLeaks, leaks } from "./leaks.ts";
import { peer } from "./peer.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await new Promise(setImmediate);
  expect(leaks()).toEqual([]);
});

it("finds a context whose signal is used, with its derivation and the line that derived it", () => {
  const [ctx, cancel] = withTimeout(withValue(background, createKey<number>("tenant"), 1), "5s");
  stops.push(cancel);
  void ctx.signal;
  const [leak, ...others] = leaks();
  expect(others).toEqual([]);
  expect(leak!.kind).toBe("context");
  expect(leak!.description).toMatch(
    /^context: background\.withValue\(tenant: number\)\.withTimeout\(5s, [\d.]+s left\) has 1 listener, derived by withTimeout at .*leaks\.test\.ts:\d+:\d+$/,
  );
});

it("finds a context with a callback, and not the contexts above it", () => {
  const [above, cancel] = withCancel(background);
  stops.push(cancel);
  afterFunc(withCancel(above)[0], () => {});
  expect(leaks().map(({ description }) => description.split(" has ")[0])).toEqual([
    "context: background.withCancel.withCancel",
  ]);
});

it("does not list a context without listeners, one whose callback was stopped, or one that has ended", () => {
  withTimeout(background, "5s");
  afterFunc(withCancel(background)[0], () => {})();
  const [ctx, cancel] = withTimeout(background, "5s");
  void ctx.signal;
  cancel();
  expect(leaks()).toEqual([]);
});

it("finds a timer", () => {
  stops.push(callAfter(60_000, () => {}));
  expect(leaks()).toEqual([{ kind: "timer", description: expect.stringMatching(/^timer: due in \d+ ms$/) }]);
});

it("finds a call whose response has not come, on both sides", async () => {
  const answer = Promise.withResolvers<Response>();
  const stock = peer("http://stock.internal", () => answer.promise);
  const found = createFetch({ fetch: stock.fetch })("http://stock.internal/items?secret=1");
  await new Promise(setImmediate);
  const kinds = leaks().map(({ kind }) => kind);
  expect(kinds).toContain("call");
  expect(kinds).toContain("peer call");
  expect(leaks().find(({ kind }) => kind === "call")!.description).toBe(
    "call: GET http://stock.internal/items under background",
  );
  answer.resolve(new Response("x"));
  await (await found).text();
});

it("finds a call whose response body is not read", async () => {
  const stock = peer("http://stock.internal", () => new Response(new ReadableStream()));
  const [ctx, cancel] = withCancel(background);
  stops.push(cancel);
  await run(ctx, () => createFetch({ fetch: stock.fetch })("http://stock.internal"));
  expect(leaks().map(({ kind }) => kind)).toContain("peer call");
});

it("does not list the context around a test, but what is left under it", () =>
  inContext({ timeout: "5s" }, (ctx) => {
    void ctx.signal;
    expect(leaks()).toEqual([]);
    const stop = afterFunc(ctx, () => {});
    expect(leaks()).toHaveLength(1);
    stop();
  }));

it("assertNoLeaks fails with the list, and reports each leak once", async () => {
  const [ctx, cancel] = withCancel(background);
  stops.push(cancel);
  void ctx.signal;
  await expect(assertNoLeaks()).rejects.toThrow(/^Leaks:\n {2}context: background\.withCancel has 1 listener/);
  await assertNoLeaks();
});

it("assertNoLeaks waits for what ends by itself", async () => {
  const [ctx, cancel] = withCancel(background);
  void ctx.signal;
  void Promise.resolve().then(() => cancel());
  await assertNoLeaks();
});
