import { expect, it } from "vitest";

import { jsonCodec, textCodec } from "./codec.ts";

const numbers = jsonCodec((value): value is number[] => Array.isArray(value) && value.every(Number.isFinite));

it("textCodec encodes and decodes text unchanged", () => {
  expect(textCodec.encode(" a,b\u20AC ")).toBe(" a,b\u20AC ");
  expect(textCodec.decode(" a,b\u20AC ")).toBe(" a,b\u20AC ");
  expect(() => textCodec.encode(7 as never)).toThrow("the value must be a string");
});

it("jsonCodec encodes and decodes JSON", () => {
  expect(numbers.encode([1, 2.5])).toBe("[1,2.5]");
  expect(numbers.decode("[1, 2.5]")).toEqual([1, 2.5]);
});

it.each(["7", "null", '["1"]', '{"0":1}'])("jsonCodec rejects JSON that does not pass its check: %s", (text) => {
  expect(numbers.decode(text)).toBeUndefined();
});

it.each(["", "[1", "undefined"])("jsonCodec throws for malformed JSON: %j", (text) => {
  expect(() => numbers.decode(text)).toThrow(SyntaxError);
});
