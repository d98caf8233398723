import assert from "node:assert/strict";

import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";

import { type Budget, callerBudget } from "./caller-budget.ts";
import { grammars } from "./dialects.fuzz.ts";
import { NodeHeaders } from "./headers.ts";

type Sent = Record<string, string | string[]>;

const dialects = grammars.map(({ dialect }) => dialect);

/** Some of the headers, each with one value and sometimes with two. */
function sent(values: (valid: Arbitrary<string>) => Arbitrary<string>): Arbitrary<Sent> {
  const headers = grammars.map(({ dialect, valid }) => {
    const value = values(valid);
    const all = fc.oneof({ arbitrary: value, weight: 4 }, { arbitrary: fc.array(value, { maxLength: 2 }), weight: 1 });
    return [dialect.header, all] as const;
  });
  return fc.record(Object.fromEntries(headers), { requiredKeys: [] }) as Arbitrary<Sent>;
}

const callerBudgets = subject<Sent, { budget: Budget | undefined; invalid: string[] }>({
  name: "deadlines of several headers",
  random: sent(() => anyText),
  mutated: sent(almost),
  valid: sent((valid) => valid),
  parse(headers) {
    const invalid: string[] = [];
    const budget = callerBudget(new NodeHeaders(headers), dialects, ({ header }) => invalid.push(header));
    return { budget, invalid };
  },
  judge(headers, { budget, invalid }) {
    const read = grammars
      .filter(({ dialect }) => headers[dialect.header] !== undefined)
      .map(({ dialect, read: readValue }) => {
        const value = headers[dialect.header]!;
        return { header: dialect.header, ms: typeof value === "string" ? readValue(value) : undefined };
      });
    const wrong = read.filter(({ ms }) => ms === undefined).map(({ header }) => header);
    const least = Math.min(...read.map(({ ms }) => ms ?? Infinity));
    assert.deepEqual(invalid, wrong);
    const ms = budget?.ms ?? Infinity;
    assert.ok(
      ms === least || Math.abs(ms - least) <= least * 2 ** -51,
      `The budget is ${ms} ms; the smallest header says ${least} ms`,
    );
    return budget !== undefined;
  },
});

export const subjects: readonly AnySubject[] = [callerBudgets];
