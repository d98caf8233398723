import assert from "node:assert/strict";

import { isMadeOf, LOWER_HEX, textOf } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText, pumped } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";

import type { ViewedSpan } from "../span.ts";
import { waterfall } from "../waterfall.ts";
import { parseTracesJson } from "./otlp-json.ts";

/** A request body, with its spans if they are known. */
interface Request {
  readonly text: string;
  readonly spans?: readonly ViewedSpan[];
}

export const KINDS = ["internal", "server", "client", "producer", "consumer"] as const;
const id = (digits: number): Arbitrary<string> => textOf(LOWER_HEX, digits, digits);
const time = fc.integer({ min: 0, max: 2 ** 43 });

export const span: Arbitrary<ViewedSpan> = fc
  .record(
    {
      traceId: id(32),
      spanId: id(16),
      parentSpanId: fc.option(id(16), { nil: undefined }).filter((each) => each !== "0".repeat(16)),
      service: fc.string({ minLength: 1 }),
      name: fc.string({ unit: "binary" }),
      kind: fc.constantFrom(...KINDS),
      start: time,
      end: fc.oneof({ arbitrary: time, weight: 9 }, { arbitrary: fc.constant(0), weight: 1 }),
      attributes: fc.dictionary(
        fc.string(),
        fc.oneof(fc.string(), fc.boolean(), fc.maxSafeInteger(), fc.array(fc.string())),
        { noNullPrototype: true },
      ),
      failed: fc.boolean(),
    },
    { noNullPrototype: true },
  )
  .map((each): ViewedSpan => ({
    ...each,
    // A span without an end is not finished.
    ...(each.end === 0 && each.start > 0 && { end: each.start, isUnfinished: true as const }),
    resource: { "service.name": each.service },
  }));

/** Milliseconds, 0 of a span that is not finished. */
export const endOf = (each: ViewedSpan): number => (each.isUnfinished === true ? 0 : each.end);

function writeValue(value: unknown): object {
  if (Array.isArray(value)) return { arrayValue: { values: value.map(writeValue) } };
  if (typeof value === "number") return { intValue: String(value) };
  return typeof value === "boolean" ? { boolValue: value } : { stringValue: value };
}

function writeSpan(each: ViewedSpan): object {
  const { traceId, spanId, parentSpanId, service, name, kind, start, attributes, failed } = each;
  return {
    resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
    scopeSpans: [
      {
        spans: [
          {
            traceId,
            spanId,
            parentSpanId,
            name,
            kind: KINDS.indexOf(kind) + 1,
            startTimeUnixNano: `${start}000000`,
            endTimeUnixNano: String(BigInt(endOf(each)) * 1_000_000n),
            attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: writeValue(value) })),
            status: failed ? { code: 2 } : {},
          },
        ],
      },
    ],
  };
}

const valid: Arbitrary<Request> = fc
  .array(span, { minLength: 1, maxLength: 3 })
  .map((spans): Request => ({ spans, text: JSON.stringify({ resourceSpans: spans.map(writeSpan) }) }));

/** Replacements for a part of the body: values of other types and objects that cannot become text. */
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

/** A valid body with one part replaced. */
const replaced = fc.tuple(valid, fc.nat(), foreign).map(([{ text }, which, by]): Request => {
  let parts = 0;
  JSON.parse(text, (_, value: unknown) => ((parts += 1), value));
  let part = 0;
  const changed: unknown = JSON.parse(text, (_, value: unknown) => (part++ === which % parts ? by : value));
  return { text: JSON.stringify(changed) };
});

/** Nested values, some deep enough to overflow a recursive reader's stack. */
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

/** The latest time that 64 bits of nanoseconds can express, in milliseconds. */
const LATEST = 2 ** 64 / 1e6;

export function isSane({ traceId, spanId, service, name, kind, start, end, failed }: ViewedSpan): boolean {
  const isNamed = [service, name].every((each) => typeof each === "string") && KINDS.includes(kind);
  const isTimed = [start, end].every((each) => each >= 0 && each <= LATEST) && typeof failed === "boolean";
  return isNamed && isTimed && traceId.length === 32 && spanId.length === 16 && isMadeOf(traceId + spanId, LOWER_HEX);
}

const otlpJson = subject<Request, readonly ViewedSpan[] | undefined>({
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
    for (const each of read) assert.ok(isSane(each), `The span is malformed: ${JSON.stringify(each)}`);
    assert.equal(typeof waterfall(read), "string");
    return read.length > 0;
  },
});

export const subjects: readonly AnySubject[] = [otlpJson];
