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
  // Some servers send seconds since the epoch.
  ["1795608000", 1_795_608_000_000],
  ["99999999999999999999", 8.64e15],
  ["Wednesday, 25-Nov-26 12:00:30 GMT", 30_000],
  ["Wednesday, 25-Nov-76 12:00:30 GMT", Date.parse("2076-11-25T12:00:30Z") - NOW],
  ["Wednesday, 25-Nov-77 12:00:30 GMT", 0],
  ["Friday, 25-Nov-77 12:00:30 GMT", 0],
  ["Wed Nov 25 12:00:30 2026", 30_000],
  ["Sun Nov  1 12:00:30 2026", 0],
  ["Thu Nov 25 12:00:30 2026", 30_000],
  ["Thu, 25 Nov 2026 12:00:30 GMT", undefined],
  ["Wednesday, 31-Feb-27 12:00:30 GMT", undefined],
  [null, undefined],
])("%j is a wait of %s ms", (value, ms) => {
  expect(parseRetryAfter(value, NOW)).toBe(ms);
});
