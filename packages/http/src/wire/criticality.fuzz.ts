import assert from "node:assert/strict";

import type { Criticality } from "@throughline/resilience/internal";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText, pumped } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";

import { type AcceptCriticality, inboundCriticality } from "./criticality.ts";
import { NodeHeaders } from "./headers.ts";

const LEVELS: readonly Criticality[] = ["sheddable", "default", "critical"];

/** The header of a request, the option, and whether its sender is trusted. */
type Sent = [value: string | string[], accept: AcceptCriticality, isTrusted: boolean];

function sent(value: Arbitrary<string>): Arbitrary<Sent> {
  const values = fc.oneof({ arbitrary: value, weight: 4 }, fc.array(value, { maxLength: 2 }));
  return fc.tuple(values, fc.constantFrom<AcceptCriticality>("lower", "any", "none"), fc.boolean());
}

const level = fc.constantFrom<string>(...LEVELS);

const criticality = subject<Sent, Criticality | undefined>({
  name: "throughline-criticality",
  random: sent(fc.oneof(anyText, fc.constantFrom("__proto__", "constructor", "toString", "0"))),
  mutated: sent(almost(level)),
  valid: sent(level),
  long: { texts: pumped(level), from: (text) => [text, "any", true] },
  parse: ([value, accept, isTrusted]) =>
    inboundCriticality(new NodeHeaders({ "throughline-criticality": value }), accept, () => isTrusted),
  judge([value, accept, isTrusted], read) {
    const one = typeof value === "string" ? value : value.length === 1 ? value[0]! : "";
    const isTaken = accept === "any" || (accept === "lower" && (isTrusted || one === "sheddable"));
    assert.equal(read, isTaken && LEVELS.some((each) => each === one) ? one : undefined);
    return read !== undefined;
  },
});

export const subjects: readonly AnySubject[] = [criticality];
