import assert from "node:assert/strict";

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
} from "../../packages/http/src/wire/dialects.ts";
import { DIGITS, isMadeOf, textOf } from "./alphabet.ts";
import { type AnySubject, subject, textSubject } from "./subject.ts";

/** A dialect as its grammar has it. */
export interface Spoken {
  readonly dialect: DeadlineDialect;
  readonly valid: Arbitrary<string>;
  /** Milliseconds, or `undefined`. */
  read(value: string): number | undefined;
  /** By how many milliseconds at most less is written than there is, and the most that can be. */
  step(ms: number): number;
  readonly most: number;
}

const NANOSECONDS = { H: 3_600_000_000_000n, M: 60_000_000_000n, S: 1_000_000_000n, m: 1_000_000n, u: 1000n, n: 1n };
type Unit = keyof typeof NANOSECONDS;

const grpc: Spoken = {
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

function whole(dialect: DeadlineDialect, digits: number): Spoken {
  return {
    dialect,
    valid: textOf(DIGITS, 1, digits),
    read: (value) =>
      value === "" || value.length > digits || !isMadeOf(value, DIGITS) ? undefined : Number(BigInt(value)),
    step: () => 1,
    most: Number(10n ** BigInt(digits) - 1n),
  };
}

function seconds(dialect: DeadlineDialect): Spoken {
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

export const spoken: readonly Spoken[] = [
  grpc,
  whole(connectTimeout, 10),
  whole(envoyExpectedTimeout, 15),
  whole(contextTtl, 15),
  whole(requestTimeoutMs, 15),
  seconds(serverTimeout),
  seconds(requestTimeout),
];

function reading({ dialect, valid, read }: Spoken): AnySubject {
  return textSubject({
    name: dialect.header,
    valid,
    parse: dialect.parse,
    judge(value, ms) {
      const own = read(value);
      // A nanosecond is no round number of milliseconds: neither reading is exact.
      const isSame = ms === own || (dialect === grpcTimeout && Math.abs(ms! - own!) <= own! * 2 ** -51);
      assert.ok(isSame, `It was read as ${ms} ms, and is ${own} ms`);
      return ms !== undefined;
    },
  });
}

function writing({ dialect, read, step, most }: Spoken): AnySubject {
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
      assert.notEqual(read(written), undefined, `'${written}' is not of the grammar`);
      const again = dialect.parse(written)!;
      assert.ok(again <= ms, `'${written}' is ${again} ms: longer`);
      assert.ok(again === most || again > ms - step(ms), `'${written}' is ${again} ms: much shorter`);
      return true;
    },
  });
}

export const deadlines: readonly AnySubject[] = [...spoken.map(reading), ...spoken.map(writing)];
