import { expect, it } from "vitest";

import { type AcceptCriticality, inboundCriticality } from "./criticality.ts";
import { NodeHeaders } from "./headers.ts";

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
