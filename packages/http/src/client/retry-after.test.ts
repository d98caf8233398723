import { expect, it } from "vitest";

import { parseRetryAfter } from "./retry-after.ts";

const NOW = Date.parse("2026-11-25T12:00:00Z");

it.each([
  ["0", 0],
  ["120", 120_000],
  ["Wed, 25 Nov 2026 12:00:30 GMT", 30_000],
  ["Wed, 25 Nov 2026 11:00:00 GMT", 0],
  ["", undefined],
  ["-1", undefined],
  ["1.5", undefined],
  ["1 ", undefined],
  ["soon", undefined],
  ["2026-11-25T12:00:30Z", undefined],
  ["Wed, 99 Nov 2026 12:00:30 GMT", undefined],
  ["9999999999", undefined],
  [null, undefined],
])("%j asks to wait %s ms", (value, ms) => {
  expect(parseRetryAfter(value, NOW)).toBe(ms);
});
