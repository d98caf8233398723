import { inspect } from "node:util";

import { background, run, withCancel, withoutCancel } from "@throughline/context";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { principal, rawToken, withPrincipal } from "./principal.ts";

const ada = { subject: "ada", scopes: ["search"] };

it("is who the current request is for", () => {
  expect(run(withPrincipal(background, ada), () => principal())).toEqual(ada);
  expect(principal()).toBeUndefined();
});

it("cannot be changed by those who read it, nor through what was handed in", () => {
  const scopes = ["search"];
  const bound = principal(withPrincipal(background, { subject: "ada", scopes }))!;
  scopes.push("admin");

  expect(bound.scopes).toEqual(["search"]);
  expect(() => (bound.scopes as string[]).push("admin")).toThrow(TypeError);
});

it("does not show in the context's lineage", () => {
  expect(String(withPrincipal(background, ada))).toBe("background.withValue(principal: Object)");
});

it.each([undefined, {}, { subject: "", scopes: [] }, { subject: "ada", scopes: "search" }])("refuses %j", (value) => {
  expect(() => withPrincipal(background, value as never)).toThrow(
    /must have a 'subject' that is not empty and a list of 'scopes'/,
  );
});

describe("a principal that expires", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is nobody from then on, also in work that goes on", () => {
    const ctx = withPrincipal(background, { ...ada, expiresAt: new Date(Date.now() + 1000) });
    const detached = withoutCancel(withCancel(ctx)[0]);
    expect(principal(detached)?.subject).toBe("ada");
    vi.advanceTimersByTime(1000);
    expect([principal(ctx), principal(detached)]).toEqual([undefined, undefined]);
  });

  it("cannot be made to live longer by whoever is given it", () => {
    const ctx = withPrincipal(background, { ...ada, expiresAt: new Date(Date.now() + 1000) });
    principal(ctx)!.expiresAt!.setFullYear(2999);
    vi.advanceTimersByTime(1000);
    expect(principal(ctx)).toBeUndefined();
  });
});

it("does not show the token that has proved it, however it is looked at", () => {
  const ctx = withPrincipal(background, ada, "the token");
  const seen = principal(ctx)!;
  const shown = [inspect(seen, { showHidden: true, getters: true }), JSON.stringify(seen), String(ctx), inspect(ctx)];
  expect(shown.join()).not.toContain("the token");
  expect(rawToken(seen)).toBe("the token");
});
