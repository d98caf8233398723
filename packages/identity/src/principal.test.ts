import { background, run } from "@throughline/context";
import { expect, it } from "vitest";

import { principal, withPrincipal } from "./principal.ts";

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
