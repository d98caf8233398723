import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, it } from "vitest";

import type { AttributeValue } from "../span.ts";
import { parseTracesJson } from "./otlp-json.ts";
import { parseTracesProtobuf } from "./otlp-protobuf.ts";

/** An attribute value for either encoding. */
type Value = { readonly map: Readonly<Record<string, Value>> } | bigint | number | string;

function inJson(value: Value): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "bigint") return { intValue: String(value) };
  if (typeof value === "number") return { doubleValue: Number.isFinite(value) ? value : String(value) };
  return { kvlistValue: { values: Object.entries(value.map).map(([key, each]) => ({ key, value: inJson(each) })) } };
}

function inProtobuf(value: Value): Uint8Array {
  const writer = new BinaryWriter();
  if (typeof value === "string") return writer.tag(1, 2).string(value).finish();
  if (typeof value === "bigint") return writer.tag(3, 0).int64(value).finish();
  if (typeof value === "number") return writer.tag(4, 1).double(value).finish();
  const map = new BinaryWriter();
  for (const [key, each] of Object.entries(value.map)) map.tag(1, 2).bytes(pair(key, each));
  return writer.tag(6, 2).bytes(map.finish()).finish();
}

function pair(key: string, value: Value): Uint8Array {
  return new BinaryWriter().tag(1, 2).string(key).tag(2, 2).bytes(inProtobuf(value)).finish();
}

const within = (field: number, bytes: Uint8Array): Uint8Array => new BinaryWriter().tag(field, 2).bytes(bytes).finish();

const ENCODINGS: readonly [string, (value: Value) => AttributeValue | undefined][] = [
  [
    "JSON",
    (value) => {
      const span = { traceId: "a".repeat(32), spanId: "b".repeat(16), startTimeUnixNano: "1", endTimeUnixNano: "2" };
      const spans = [{ ...span, attributes: [{ key: "key", value: inJson(value) }] }];
      return parseTracesJson(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }))[0]!.attributes["key"];
    },
  ],
  [
    "protobuf",
    (value) => {
      const span = new BinaryWriter()
        .tag(1, 2)
        .bytes(new Uint8Array(16).fill(1))
        .tag(2, 2)
        .bytes(new Uint8Array(8).fill(1));
      const body = within(1, within(2, within(2, span.tag(9, 2).bytes(pair("key", value)).finish())));
      return parseTracesProtobuf(body)[0]!.attributes["key"];
    },
  ],
];

describe.each(ENCODINGS)("a value in %s", (_name, read) => {
  it("becomes text if it is NaN or infinite, because JSON cannot represent these", () => {
    expect([NaN, Infinity, -Infinity, 0.5].map(read)).toEqual(["NaN", "Infinity", "-Infinity", 0.5]);
  });

  it("becomes a number if it is a safe integer, else text", () => {
    expect([7n, -5n, 2n ** 53n - 1n, 2n ** 53n + 1n, -(2n ** 63n)].map(read)).toEqual([
      7,
      -5,
      Number.MAX_SAFE_INTEGER,
      "9007199254740993",
      "-9223372036854775808",
    ]);
  });

  it("becomes text if it is a map of maps, quoted once", () => {
    expect(read({ map: { a: { map: { b: "c" } }, n: 0.5 } })).toBe('{"a":{"b":"c"},"n":0.5}');
  });

  it("has a length proportional to its depth", () => {
    let value: Value = "x";
    for (let level = 0; level < 20; level++) value = { map: { k: value } };
    expect(String(read(value)).length).toBeLessThan(200);
  });
});

describe("a request with too many parts", () => {
  it("is rejected in protobuf, where a part may take two bytes", () => {
    const events = Buffer.alloc(2 * 2_000_001);
    for (let at = 0; at < events.length; at += 2) events[at] = (11 << 3) | 2;
    const span = Buffer.concat([within(1, new Uint8Array(16).fill(1)), within(2, new Uint8Array(8).fill(1)), events]);
    expect(() => parseTracesProtobuf(within(1, within(2, within(2, span))))).toThrow(
      "Cannot read traces: a request must have 2000000 parts or fewer",
    );
  });

  it("is rejected in JSON", () => {
    const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"events":[${"{},".repeat(2_000_000)}{}]}]}]}]}`;
    expect(() => parseTracesJson(body)).toThrow("Cannot read traces: a request must have 2000000 parts or fewer");
  });
});
