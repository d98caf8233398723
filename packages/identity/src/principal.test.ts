import { inspect } from "node:util";

import { background, run, withCancel, withoutCancel } from "@throughline/context";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { principal, rawToken, withPrincipal } from "./principal.ts";

const ada = { subject: "ada", scopes: ["search"] };

it("is read from the current context", () => {
  expect(run(withPrincipal(background, ada), () => principal())).toEqual(ada);
  expect(principal()).toBeUndefined();
});

it("is frozen, and a copy of the given object", () => {
  const scopes = ["search"];
  const bound = principal(withPrincipal(background, { subject: "ada", scopes }))!;
  scopes.push("admin");

  expect(bound.scopes).toEqual(["search"]);
  expect(() => (bound.scopes as string[]).push("admin")).toThrow(TypeError);
});

it("is not shown by the context's toString", () => {
  expect(String(withPrincipal(background, ada))).toBe("background.withValue(principal: Object)");
});

it.each([undefined, {}, { subject: "", scopes: [] }, { subject: "ada", scopes: "search" }])("rejects %j", (value) => {
  expect(() => withPrincipal(background, value as never)).toThrow(
    /must have a non-empty 'subject' and a list of 'scopes'/,
  );
});

describe("a principal that expires", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is undefined from then on, also in detached work", () => {
    const ctx = withPrincipal(background, { ...ada, expiresAt: new Date(Date.now() + 1000) });
    const detached = withoutCancel(withCancel(ctx)[0]);
    expect(principal(detached)?.subject).toBe("ada");
    vi.advanceTimersByTime(1000);
    expect([principal(ctx), principal(detached)]).toEqual([undefined, undefined]);
  });

  it("does not live longer if its Date is changed", () => {
    const ctx = withPrincipal(background, { ...ada, expiresAt: new Date(Date.now() + 1000) });
    principal(ctx)!.expiresAt!.setFullYear(2999);
    vi.advanceTimersByTime(1000);
    expect(principal(ctx)).toBeUndefined();
  });
});

it("does not show its token in inspect, JSON or toString", () => {
  const ctx = withPrincipal(background, ada, "the token");
  const seen = principal(ctx)!;
  const shown = [inspect(seen, { showHidden: true, getters: true }), JSON.stringify(seen), String(ctx), inspect(ctx)];
  expect(shown.join()).not.toContain("the token");
  expect(rawToken(seen)).toBe("the token");
});
