import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts";

describe("parseGrpcTimeout", () => {
  it.each([
    ["00000001n", 1e-6],
    ["10u", 0.01],
    ["00000010m", 10],
    ["1234S", 1_234_000],
    ["00000001M", 60_000],
    ["09999999S", 9_999_999_000],
    ["99999999H", 359_999_996_400_000],
    ["999H", 3_596_400_000],
    ["0S", 0],
    ["1000000n", 1],
  ])("reads %s as %d ms", (value, ms) => {
    expect(parseGrpcTimeout(value)).toBeCloseTo(ms, 9);
  });

  it.each([
    "-1S",
    "1234x",
    "1234s",
    "1234",
    "1",
    "",
    "9a1S",
    "000000000S",
    "18f6n",
    "tomorrow",
    "123456789m",
    "HH",
    "1H1H",
    "foo",
    "1X",
    " 1S",
    "1S ",
    "1 S",
    "+1S",
    "1.5S",
    "1e3m",
    "1_0S",
    "１S",
    "1SS",
    "S",
    "1S,2S",
    "1S, 2S",
    "garbage 5S trailing",
    "5S\n",
  ])("refuses %j", (value) => {
    expect(parseGrpcTimeout(value)).toBeUndefined();
  });
});

describe("formatGrpcTimeout", () => {
  it.each([
    [1, "1m"],
    [1480, "1480m"],
    [1480.9, "1480m"],
    [99_999_999.9, "99999999m"],
    [100_000_000, "100000S"],
    [100_000_999, "100000S"],
    [8.64e15, "99999999H"],
  ])("writes %d ms as %s", (ms, value) => {
    expect(formatGrpcTimeout(ms)).toBe(value);
  });

  it("never tells of more time than there is, and of hardly less", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 3e14, noNaN: true }), (ms) => {
        const read = parseGrpcTimeout(formatGrpcTimeout(ms))!;
        expect(read).toBeLessThanOrEqual(ms);
        expect(read).toBeGreaterThan(ms - Math.max(1, ms / 1000));
      }),
    );
  });
});
