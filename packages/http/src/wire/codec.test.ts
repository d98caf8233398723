import { expect, it } from "vitest";

import { jsonCodec, textCodec } from "./codec.ts";

const numbers = jsonCodec((value): value is number[] => Array.isArray(value) && value.every(Number.isFinite));

it("writes and reads text as it is", () => {
  expect(textCodec.encode(" a,b\u20AC ")).toBe(" a,b\u20AC ");
  expect(textCodec.decode(" a,b\u20AC ")).toBe(" a,b\u20AC ");
  expect(() => textCodec.encode(7 as never)).toThrow("it must be a string");
});

it("writes and reads JSON", () => {
  expect(numbers.encode([1, 2.5])).toBe("[1,2.5]");
  expect(numbers.decode("[1, 2.5]")).toEqual([1, 2.5]);
});

it.each(["7", "null", '["1"]', '{"0":1}'])("reads no JSON that is not what it should be: %s", (text) => {
  expect(numbers.decode(text)).toBeUndefined();
});

it.each(["", "[1", "undefined"])("reads no JSON that is none: %j", (text) => {
  expect(() => numbers.decode(text)).toThrow(SyntaxError);
});
