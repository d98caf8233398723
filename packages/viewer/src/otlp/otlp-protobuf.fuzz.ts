import assert from "node:assert/strict";

import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import fc from "fast-check";

import type { ViewedSpan } from "../span.ts";
import { endOf, isSane, KINDS, span } from "./otlp-json.fuzz.ts";
import { parseTracesProtobuf } from "./otlp-protobuf.ts";

interface Request {
  readonly body: Uint8Array;
  readonly spans?: readonly ViewedSpan[];
}

const BYTES = 2;

/** Writes a nested message. */
function message(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  const inner = new BinaryWriter();
  write(inner);
  writer.tag(field, BYTES).bytes(inner.finish());
}

function writeValue(writer: BinaryWriter, value: unknown): void {
  if (Array.isArray(value))
    message(writer, 5, (list) => value.forEach((each) => message(list, 1, (one) => writeValue(one, each))));
  else if (typeof value === "number") writer.tag(3, 0).int64(value);
  else if (typeof value === "boolean") writer.tag(2, 0).bool(value);
  else writer.tag(1, BYTES).string(value as string);
}

function writeAttribute(writer: BinaryWriter, field: number, key: string, value: unknown): void {
  message(writer, field, (pair) => {
    pair.tag(1, BYTES).string(key);
    message(pair, 2, (inner) => writeValue(inner, value));
  });
}

function writeSpan(writer: BinaryWriter, each: ViewedSpan): void {
  writer.tag(1, BYTES).bytes(Buffer.from(each.traceId, "hex"));
  writer.tag(2, BYTES).bytes(Buffer.from(each.spanId, "hex"));
  if (each.parentSpanId !== undefined) writer.tag(4, BYTES).bytes(Buffer.from(each.parentSpanId, "hex"));
  writer.tag(5, BYTES).string(each.name);
  writer.tag(6, 0).int32(KINDS.indexOf(each.kind) + 1);
  writer.tag(7, 1).fixed64(BigInt(each.start) * 1_000_000n);
  writer.tag(8, 1).fixed64(BigInt(endOf(each)) * 1_000_000n);
  for (const [key, value] of Object.entries(each.attributes)) writeAttribute(writer, 9, key, value);
  message(writer, 15, (status) => status.tag(3, 0).int32(each.failed ? 2 : 0));
}

/** Fields may come in any order, so the resource may follow its spans. */
function write(spans: readonly ViewedSpan[], isResourceLast: boolean): Uint8Array {
  const writer = new BinaryWriter();
  for (const each of spans) {
    message(writer, 1, (inner) => {
      const resource = (): void => message(inner, 1, (of) => writeAttribute(of, 1, "service.name", each.service));
      if (!isResourceLast) resource();
      message(inner, 2, (scope) => message(scope, 2, (one) => writeSpan(one, each)));
      if (isResourceLast) resource();
    });
  }
  return writer.finish();
}

/** Spans without unpaired surrogates, which UTF-8 cannot express. */
const wellFormed = span.filter(
  (each) => JSON.stringify(each).isWellFormed() && !/\\ud[89a-f]/i.test(JSON.stringify(each)),
);

const valid = fc
  .tuple(fc.array(wellFormed, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([spans, isResourceLast]): Request => ({ spans, body: write(spans, isResourceLast) }));

const mutated = fc
  .tuple(valid, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), fc.option(fc.nat()))
  .map(([{ body }, changes, cut]): Request => {
    const changed = Uint8Array.from(body);
    for (const [at, byte] of changes) changed[at % changed.length] = byte;
    return { body: cut === null ? changed : changed.subarray(0, cut % changed.length) };
  });

/** Nested values, some deep enough to overflow a recursive reader's stack. */
const deep = fc.constantFrom(1, 90, 2_000).map((depth): Request => {
  let value = new BinaryWriter().tag(1, BYTES).string("x").finish();
  for (let level = 0; level < depth; level++) {
    const inner = new BinaryWriter().tag(1, BYTES).bytes(value).finish();
    value = new BinaryWriter().tag(5, BYTES).bytes(inner).finish();
  }
  const writer = new BinaryWriter();
  message(writer, 1, (of) =>
    message(of, 1, (resource) =>
      message(resource, 1, (pair) => pair.tag(1, BYTES).string("k").tag(2, BYTES).bytes(value)),
    ),
  );
  return { body: writer.finish() };
});

const otlpProtobuf = subject<Request, readonly ViewedSpan[] | undefined>({
  name: "OTLP in protobuf",
  share: 0.5,
  random: fc.oneof(
    { arbitrary: fc.uint8Array({ maxLength: 200 }).map((body): Request => ({ body })), weight: 500 },
    { arbitrary: deep, weight: 1 },
  ),
  mutated,
  valid,
  parse({ body }) {
    try {
      return parseTracesProtobuf(body);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return undefined;
    }
  },
  judge({ spans }, read) {
    if (spans !== undefined) assert.deepEqual(read, spans);
    if (read === undefined) return false;
    for (const each of read) assert.ok(isSane(each), `The span is malformed: ${JSON.stringify(each)}`);
    return read.length > 0;
  },
});

export const subjects: readonly AnySubject[] = [otlpProtobuf];
