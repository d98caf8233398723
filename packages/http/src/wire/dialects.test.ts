import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  connectTimeout,
  contextTtl,
  type DeadlineDialect,
  envoyExpectedTimeout,
  formatGrpcTimeout,
  parseGrpcTimeout,
  requestTimeout,
  requestTimeoutMs,
  serverTimeout,
} from "./dialects.ts";

describe.each<[DeadlineDialect]>([[connectTimeout], [envoyExpectedTimeout], [contextTtl], [requestTimeoutMs]])(
  "$header",
  (dialect) => {
    it.each([
      ["1500", 1500],
      ["0", 0],
      ["1234567890", 1_234_567_890],
    ])("parses %s as %d ms", (value, ms) => {
      expect(dialect.parse(value)).toBe(ms);
    });

    it.each(["100m", "1H", "-1", "1e+10", "", "1.5", "foo", " 1", "1, 2", "1234567890123456"])(
      "rejects %j",
      (value) => {
        expect(dialect.parse(value)).toBeUndefined();
      },
    );

    it("is formatted in whole milliseconds, rounded down", () => {
      expect(dialect.format(1480.9)).toBe("1480");
    });
  },
);

describe.each<[DeadlineDialect]>([[serverTimeout], [requestTimeout]])("$header", (dialect) => {
  it.each([
    ["2", 2000],
    ["1.5", 1500],
    ["0", 0],
    ["0.001", 1],
  ])("parses %s seconds as %d ms", (value, ms) => {
    expect(dialect.parse(value)).toBe(ms);
  });

  it.each(["", "-1", "1s", "1.", ".5", "1.2345", "1e3"])("rejects %j", (value) => {
    expect(dialect.parse(value)).toBeUndefined();
  });

  it("is formatted in seconds, rounded down to the millisecond", () => {
    expect(dialect.format(1480.9)).toBe("1.480");
  });
});

it("connect-timeout-ms has at most ten digits", () => {
  expect(connectTimeout.parse("12345678901")).toBeUndefined();
  expect(connectTimeout.format(1e15)).toBe("9999999999");
});

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
  ])("parses %s as %d ms", (value, ms) => {
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
  ])("rejects %j", (value) => {
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
  ])("formats %d ms as %s", (ms, value) => {
    expect(formatGrpcTimeout(ms)).toBe(value);
  });

  it("never writes more time than is left, and at most 0.1% or 1 ms less", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 3e14, noNaN: true }), (ms) => {
        const read = parseGrpcTimeout(formatGrpcTimeout(ms))!;
        expect(read).toBeLessThanOrEqual(ms);
        expect(read).toBeGreaterThan(ms - Math.max(1, ms / 1000));
      }),
    );
  });
});
