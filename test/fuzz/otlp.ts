import assert from "node:assert/strict";

import fc from "fast-check";

import { parseTracesJson } from "../../packages/viewer/src/otlp/otlp-json.ts";
import type { ViewedSpan } from "../../packages/viewer/src/span.ts";
import { waterfall } from "../../packages/viewer/src/waterfall.ts";
import { isMadeOf, LOWER_HEX } from "./alphabet.ts";
import { KINDS, type Request, valid } from "./otlp-spans.ts";
import { type AnySubject, subject } from "./subject.ts";
import { almost, anyText, pumped } from "./values.ts";

/** What a part may be replaced by: things of another type, and objects that will not be made text. */
const foreign = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    { toString: 1, valueOf: 1 },
    [[{ toString: null }]],
    { length: 1e9 },
    "9".repeat(400),
    "-1",
    1e21,
    1.5,
  ),
  fc.constantFrom<unknown>(
    { arrayValue: { values: 1 } },
    { intValue: { valueOf: 1 } },
    { kvlistValue: {} },
    null,
    "",
    [],
  ),
);

/** One of the parts replaced. */
const replaced = fc.tuple(valid, fc.nat(), foreign).map(([{ text }, which, by]): Request => {
  let parts = 0;
  JSON.parse(text, (_, value: unknown) => ((parts += 1), value));
  let part = 0;
  const changed: unknown = JSON.parse(text, (_, value: unknown) => (part++ === which % parts ? by : value));
  return { text: JSON.stringify(changed) };
});

/** Values in values, deeper than any that is sent, and deeper than a stack. */
const deep = fc
  .tuple(
    fc.constantFrom(['{"arrayValue":{"values":[', "]}}"], ['{"kvlistValue":[', "]}"]),
    fc.constantFrom(1, 100, 15_000),
  )
  .map(([[open, close], depth]): Request => {
    const value = open!.repeat(depth) + close!.repeat(depth);
    return { text: `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":${value}}]}}]}` };
  });

const asText = valid.map(({ text }) => text);

/** The longest time that 64 bits of nanoseconds can tell, in milliseconds. */
const LATEST = 2 ** 64 / 1e6;

export function isSane({ traceId, spanId, service, name, kind, start, end, failed }: ViewedSpan): boolean {
  const isNamed = [service, name].every((each) => typeof each === "string") && KINDS.includes(kind);
  const isTimed = [start, end].every((each) => each >= 0 && each <= LATEST) && typeof failed === "boolean";
  return isNamed && isTimed && traceId.length === 32 && spanId.length === 16 && isMadeOf(traceId + spanId, LOWER_HEX);
}

export const otlp: AnySubject = subject<Request, readonly ViewedSpan[] | undefined>({
  name: "OTLP in JSON",
  share: 0.5,
  random: fc.oneof(
    { arbitrary: fc.oneof(anyText, fc.json()).map((text): Request => ({ text })), weight: 500 },
    { arbitrary: deep, weight: 1 },
  ),
  mutated: fc.oneof(
    almost(asText).map((text): Request => ({ text })),
    replaced,
  ),
  valid,
  long: { texts: pumped(asText), from: (text) => ({ text }) },
  parse({ text }) {
    try {
      return parseTracesJson(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return undefined;
    }
  },
  judge({ spans }, read) {
    if (spans !== undefined) assert.deepEqual(read, spans);
    if (read === undefined) return false;
    for (const each of read) assert.ok(isSane(each), `That is no span: ${JSON.stringify(each)}`);
    assert.equal(typeof waterfall(read), "string");
    return read.length > 0;
  },
});
