import assert from "node:assert/strict";

import { type AnySubject, textSubject } from "@throughline/test/fuzz/subject.ts";
import fc from "fast-check";

import { problemResponse } from "./problem.ts";

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

/** Whether the header has only the ranges and parameters listed above, whose meaning is not disputed. */
function isSimple(header: string): boolean {
  const parts = header.split(", ").map((each) => each.split(/(?=;)/));
  const isKnown = ([range, quality = "", ...more]: string[]): boolean =>
    RANGES.includes(range!) && QUALITIES.includes(quality) && more.length === 0;
  return parts.every(isKnown) && new Set(parts.map(([range]) => range)).size === parts.length;
}

/**
 * The quality of each type, by its most specific range (RFC 9110, 12.5.1). Only for headers that `isSimple` accepts.
 */
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
    // A client that accepts only text receives one line of plain text, also if it asks for HTML.
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
      `${type} does not have the highest quality`,
    );
    return true;
  },
});

export const subjects: readonly AnySubject[] = [accepting];
