import { describe, expect, it } from "vitest";

import {
  connectTimeout,
  contextTtl,
  type DeadlineDialect,
  envoyExpectedTimeout,
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
    ])("reads %s as %d ms", (value, ms) => {
      expect(dialect.parse(value)).toBe(ms);
    });

    it.each(["100m", "1H", "-1", "1e+10", "", "1.5", "foo", " 1", "1, 2", "1234567890123456"])(
      "refuses %j",
      (value) => {
        expect(dialect.parse(value)).toBeUndefined();
      },
    );

    it("is written in whole milliseconds, rounded down", () => {
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
  ])("reads %s seconds as %d ms", (value, ms) => {
    expect(dialect.parse(value)).toBe(ms);
  });

  it.each(["", "-1", "1s", "1.", ".5", "1.2345", "1e3"])("refuses %j", (value) => {
    expect(dialect.parse(value)).toBeUndefined();
  });

  it("is written in seconds, rounded down to the millisecond", () => {
    expect(dialect.format(1480.9)).toBe("1.480");
  });
});

it("connect-timeout-ms takes at most ten digits", () => {
  expect(connectTimeout.parse("12345678901")).toBeUndefined();
  expect(connectTimeout.format(1e15)).toBe("9999999999");
});
