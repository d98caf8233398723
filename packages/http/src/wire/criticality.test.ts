import { background } from "@throughline/context";
import { expect, it } from "vitest";

import { type AcceptCriticality, criticality, inboundCriticality, withCriticality } from "./criticality.ts";
import { NodeHeaders } from "./headers.ts";

it("is the default unless somebody says otherwise", () => {
  expect(criticality(background)).toBe("default");
  expect(criticality(withCriticality(background, "sheddable"))).toBe("sheddable");
});

it.each<[AcceptCriticality, string | string[] | undefined, string | undefined]>([
  ["lower", "sheddable", "sheddable"],
  ["lower", "critical", undefined],
  ["lower", "default", undefined],
  ["any", "critical", "critical"],
  ["none", "sheddable", undefined],
  ["any", "CRITICAL", undefined],
  ["any", ["critical", "critical"], undefined],
  ["any", undefined, undefined],
])("where the word of %s is taken, %j is taken as %s", (accept, value, taken) => {
  const headers = new NodeHeaders({ "throughline-criticality": value });
  expect(inboundCriticality(headers, accept, () => false)).toBe(taken);
});

it("is taken of a peer that is trusted, whatever it is", () => {
  const headers = new NodeHeaders({ "throughline-criticality": "critical" });
  expect(inboundCriticality(headers, "lower", () => true)).toBe("critical");
  expect(inboundCriticality(headers, "none", () => true)).toBeUndefined();
});

it("refuses what is none", () => {
  expect(() => withCriticality(background, "urgent" as "critical")).toThrow(
    'Cannot bind a criticality: it must be "critical", "default" or "sheddable"; received string "urgent"',
  );
});
