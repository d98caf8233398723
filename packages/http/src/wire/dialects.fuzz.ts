import assert from "node:assert/strict";

import { DIGITS, isMadeOf, textOf } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, subject, textSubject } from "@throughline/test/fuzz/subject.ts";
import fc, { type Arbitrary } from "fast-check";

import {
  connectTimeout,
  contextTtl,
  type DeadlineDialect,
  envoyExpectedTimeout,
  grpcTimeout,
  requestTimeout,
  requestTimeoutMs,
  serverTimeout,
} from "./dialects.ts";

/** A dialect with a second reader, written from its grammar. */
export interface DialectGrammar {
  readonly dialect: DeadlineDialect;
  readonly valid: Arbitrary<string>;
  /** Milliseconds, or `undefined`. */
  read(value: string): number | undefined;
  /** The largest loss, in milliseconds, when `ms` is written. */
  step(ms: number): number;
  /** The largest time that the grammar can express, in milliseconds. */
  readonly most: number;
}

const NANOSECONDS = { H: 3_600_000_000_000n, M: 60_000_000_000n, S: 1_000_000_000n, m: 1_000_000n, u: 1000n, n: 1n };
type Unit = keyof typeof NANOSECONDS;

const grpc: DialectGrammar = {
  dialect: grpcTimeout,
  valid: fc.tuple(textOf(DIGITS, 1, 8), textOf("HMSmun", 1, 1)).map(([digits, unit]) => digits + unit),
  read(value) {
    const [digits, unit] = [value.slice(0, -1), value.slice(-1)];
    if (digits === "" || digits.length > 8 || !isMadeOf(digits, DIGITS) || !(unit in NANOSECONDS)) return undefined;
    return Number(BigInt(digits) * NANOSECONDS[unit as Unit]) / 1e6;
  },
  step: (ms) => [1, 1000, 60_000, 3_600_000].find((unit) => ms < unit * 1e8) ?? 3_600_000,
  most: 99_999_999 * 3_600_000,
};

function whole(dialect: DeadlineDialect, digits: number): DialectGrammar {
  return {
    dialect,
    valid: textOf(DIGITS, 1, digits),
    read: (value) =>
      value === "" || value.length > digits || !isMadeOf(value, DIGITS) ? undefined : Number(BigInt(value)),
    step: () => 1,
    most: Number(10n ** BigInt(digits) - 1n),
  };
}

function seconds(dialect: DeadlineDialect): DialectGrammar {
  const fraction = fc.oneof(
    fc.constant(""),
    textOf(DIGITS, 1, 3).map((digits) => `.${digits}`),
  );
  return {
    dialect,
    valid: fc.tuple(textOf(DIGITS, 1, 9), fraction).map((parts) => parts.join("")),
    read(value) {
      const [before, after, ...more] = value.split(".");
      if (before === "" || before!.length > 9 || after === "" || (after ?? "").length > 3) return undefined;
      if (more.length > 0 || !isMadeOf(before! + (after ?? ""), DIGITS)) return undefined;
      return Number(BigInt(before! + (after ?? "").padEnd(3, "0")));
    },
    step: () => 1,
    most: 999_999_999_999,
  };
}

export const grammars: readonly DialectGrammar[] = [
  grpc,
  whole(connectTimeout, 10),
  whole(envoyExpectedTimeout, 15),
  whole(contextTtl, 15),
  whole(requestTimeoutMs, 15),
  seconds(serverTimeout),
  seconds(requestTimeout),
];

function reading({ dialect, valid, read }: DialectGrammar): AnySubject {
  return textSubject({
    name: dialect.header,
    valid,
    parse: dialect.parse,
    judge(value, ms) {
      const own = read(value);
      // A nanosecond is not a whole number of milliseconds, so neither reading is exact.
      const isSame = ms === own || (dialect === grpcTimeout && Math.abs(ms! - own!) <= own! * 2 ** -51);
      assert.ok(isSame, `The parser read ${ms} ms; the grammar says ${own} ms`);
      return ms !== undefined;
    },
  });
}

function writing({ dialect, read, step, most }: DialectGrammar): AnySubject {
  return subject<number, string>({
    name: `${dialect.header}, written`,
    share: 0.5,
    random: fc.double({ min: 1, max: 8.64e15, noNaN: true }),
    mutated: fc
      .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: -2000, max: 2000 }))
      .map(([power, more]) => Math.max(1, 10 ** power + more / 1000)),
    valid: fc.integer({ min: 1, max: 1e10 }),
    parse: dialect.format,
    judge(ms, written) {
      assert.notEqual(read(written), undefined, `'${written}' does not match the grammar`);
      const again = dialect.parse(written)!;
      assert.ok(again <= ms, `'${written}' is ${again} ms, longer than ${ms} ms`);
      assert.ok(again === most || again > ms - step(ms), `'${written}' is ${again} ms, much shorter than ${ms} ms`);
      return true;
    },
  });
}

export const subjects: readonly AnySubject[] = [...grammars.map(reading), ...grammars.map(writing)];
