import { background } from "@throughline/context";
import { expect, it } from "vitest";

import { type AcceptCriticality, criticality, inboundCriticality, withCriticality } from "./criticality.ts";
import { NodeHeaders } from "./headers.ts";

it("criticality is the default unless it was set", () => {
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
])("with acceptCriticality %s, %j is read as %s", (accept, value, expected) => {
  const headers = new NodeHeaders({ "throughline-criticality": value });
  expect(inboundCriticality(headers, accept, () => false)).toBe(expected);
});

it("lower accepts every value of a trusted peer, and none accepts no value", () => {
  const headers = new NodeHeaders({ "throughline-criticality": "critical" });
  expect(inboundCriticality(headers, "lower", () => true)).toBe("critical");
  expect(inboundCriticality(headers, "none", () => true)).toBeUndefined();
});

it("withCriticality rejects other values", () => {
  expect(() => withCriticality(background, "urgent" as "critical")).toThrow(
    'Cannot bind a criticality: \'value\' must be "critical", "default" or "sheddable"; received string "urgent"',
  );
});
