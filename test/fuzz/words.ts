import assert from "node:assert/strict";

import fc, { type Arbitrary } from "fast-check";

import { outcomeOf } from "../../packages/http/src/client/outcome.ts";
import { problemResponse } from "../../packages/http/src/server/problem.ts";
import {
  type AcceptCriticality,
  type Criticality,
  inboundCriticality,
} from "../../packages/http/src/wire/criticality.ts";
import { NodeHeaders } from "../../packages/http/src/wire/headers.ts";
import { type AnySubject, subject, textSubject } from "./subject.ts";
import { almost, anyText, pumped } from "./values.ts";

const OUTCOMES = ["deadline-exceeded", "draining", "overloaded"].flatMap((outcome) =>
  [false, true].map((started) => ({ outcome, started, text: `${outcome};started=?${started ? 1 : 0}` })),
);

const outcome = textSubject({
  name: "throughline-outcome",
  valid: fc.constantFrom(...OUTCOMES.map(({ text }) => text)),
  parse: (value) => outcomeOf({ headers: { get: () => value } } as unknown as Response),
  judge(value, read) {
    const own = OUTCOMES.find(({ text }) => text === value);
    assert.deepEqual(read, own && { outcome: own.outcome, started: own.started });
    return read !== undefined;
  },
});

const LEVELS: readonly Criticality[] = ["sheddable", "default", "critical"];

/** What is said, whose word is taken, and whether this one's is. */
type Said = [value: string | string[], accept: AcceptCriticality, isTrusted: boolean];

function said(value: Arbitrary<string>): Arbitrary<Said> {
  const values = fc.oneof({ arbitrary: value, weight: 4 }, fc.array(value, { maxLength: 2 }));
  return fc.tuple(values, fc.constantFrom<AcceptCriticality>("lower", "any", "none"), fc.boolean());
}

const level = fc.constantFrom<string>(...LEVELS);

const criticality = subject<Said, Criticality | undefined>({
  name: "throughline-criticality",
  random: said(fc.oneof(anyText, fc.constantFrom("__proto__", "constructor", "toString", "0"))),
  mutated: said(almost(level)),
  valid: said(level),
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

const TYPES = ["application/problem+json", "application/json", "text/plain", "text/html"];
const RANGES = [...TYPES, "application/*", "text/*", "*/*", "image/png", "text/html;level=1"];
const QUALITIES = ["", ";q=0", ";q=1", ";q=0.5", "; q=0.999", ";Q=0.1"];
const ranges = fc.uniqueArray(fc.tuple(fc.constantFrom(...RANGES), fc.constantFrom(...QUALITIES)), {
  selector: ([each]) => each,
  minLength: 1,
  maxLength: 5,
});
const accept = ranges.map((all) => all.map((each) => each.join("")).join(", "));

const problem = { document: { type: "urn:problem", title: "A problem", status: 503 } };

/** Whether a header is one that is made here, so that nobody doubts how to read it. */
function isSimple(header: string): boolean {
  const parts = header.split(", ").map((each) => each.split(/(?=;)/));
  const isKnown = ([range, quality = "", ...more]: string[]): boolean =>
    RANGES.includes(range!) && QUALITIES.includes(quality) && more.length === 0;
  return parts.every(isKnown) && new Set(parts.map(([range]) => range)).size === parts.length;
}

/** How much each type is wanted, by the range that names it most exactly (RFC 9110, 12.5.1); of headers that are made here. */
function qualities(header: string): Map<string, number> {
  const wanted = new Map(
    header.split(",").map((each) => {
      const [type, parameter] = each.trim().split(";");
      return [type!, parameter === undefined ? 1 : Number(parameter.trim().slice(2))] as const;
    }),
  );
  return new Map(
    TYPES.map((type) => [type, wanted.get(type) ?? wanted.get(`${type.split("/")[0]}/*`) ?? wanted.get("*/*") ?? 0]),
  );
}

const accepting = textSubject({
  name: "accept",
  valid: accept,
  parse: (value) => problemResponse(problem, false, value),
  judge(value, { headers, body }) {
    const type = headers["content-type"]!;
    // Who takes text only is given a line of it, be it asked for as HTML.
    const isText = type === "text/plain; charset=utf-8";
    const asked = isText ? TYPES.slice(2) : [type];
    assert.ok(isText || TYPES.slice(0, 2).includes(type));
    assert.equal(body, isText ? "A problem\n" : JSON.stringify(problem.document));
    if (!isSimple(value)) return false;
    const wanted = qualities(value);
    const most = Math.max(...wanted.values());
    const expected = most === 0 ? [TYPES[0]] : TYPES.filter((each) => wanted.get(each) === most);
    assert.ok(
      asked.some((each) => expected.includes(each)),
      `${type} is not what is wanted most`,
    );
    return true;
  },
});

export const words: readonly AnySubject[] = [outcome, criticality, accepting];
