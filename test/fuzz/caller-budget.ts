import assert from "node:assert/strict";

import fc, { type Arbitrary } from "fast-check";

import { type Budget, callerBudget } from "../../packages/http/src/wire/caller-budget.ts";
import { NodeHeaders } from "../../packages/http/src/wire/headers.ts";
import { spoken } from "./deadlines.ts";
import { type AnySubject, subject } from "./subject.ts";
import { almost, anyText } from "./values.ts";

type Sent = Record<string, string | string[]>;

const dialects = spoken.map(({ dialect }) => dialect);

/** Some of the headers, each with some value, and now and then with two. */
function sent(values: (valid: Arbitrary<string>) => Arbitrary<string>): Arbitrary<Sent> {
  const headers = spoken.map(({ dialect, valid }) => {
    const value = values(valid);
    const all = fc.oneof({ arbitrary: value, weight: 4 }, { arbitrary: fc.array(value, { maxLength: 2 }), weight: 1 });
    return [dialect.header, all] as const;
  });
  return fc.record(Object.fromEntries(headers), { requiredKeys: [] }) as Arbitrary<Sent>;
}

export const budgetOfCaller: AnySubject = subject<Sent, { budget: Budget | undefined; invalid: string[] }>({
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
    const told = spoken
      .filter(({ dialect }) => headers[dialect.header] !== undefined)
      .map(({ dialect, read }) => {
        const value = headers[dialect.header]!;
        return { header: dialect.header, ms: typeof value === "string" ? read(value) : undefined };
      });
    const wrong = told.filter(({ ms }) => ms === undefined).map(({ header }) => header);
    const least = Math.min(...told.map(({ ms }) => ms ?? Infinity));
    assert.deepEqual(invalid, wrong);
    const ms = budget?.ms ?? Infinity;
    assert.ok(ms === least || Math.abs(ms - least) <= least * 2 ** -51, `There were ${ms} ms, and are ${least} ms`);
    return budget !== undefined;
  },
});
