import fc, { type Arbitrary } from "fast-check";

import type { ViewedSpan } from "../../packages/viewer/src/span.ts";
import { LOWER_HEX, textOf } from "./alphabet.ts";

/** A request, and the spans in it where these are known. */
export interface Request {
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
      end: time,
      attributes: fc.dictionary(
        fc.string(),
        fc.oneof(fc.string(), fc.boolean(), fc.maxSafeInteger(), fc.array(fc.string())),
        { noNullPrototype: true },
      ),
      failed: fc.boolean(),
    },
    { noNullPrototype: true },
  )
  .map((each) => ({ ...each, resource: { "service.name": each.service } }));

function writeValue(value: unknown): object {
  if (Array.isArray(value)) return { arrayValue: { values: value.map(writeValue) } };
  if (typeof value === "number") return { intValue: String(value) };
  return typeof value === "boolean" ? { boolValue: value } : { stringValue: value };
}

function writeSpan({ service, kind, start, end, attributes, failed, ...rest }: ViewedSpan): object {
  const { resource: _resource, ...same } = rest;
  return {
    resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
    scopeSpans: [
      {
        spans: [
          {
            ...same,
            kind: KINDS.indexOf(kind) + 1,
            startTimeUnixNano: `${start}000000`,
            endTimeUnixNano: String(BigInt(end) * 1_000_000n),
            attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: writeValue(value) })),
            status: failed ? { code: 2 } : {},
          },
        ],
      },
    ],
  };
}

export const valid: Arbitrary<Request> = fc
  .array(span, { minLength: 1, maxLength: 3 })
  .map((spans): Request => ({ spans, text: JSON.stringify({ resourceSpans: spans.map(writeSpan) }) }));
