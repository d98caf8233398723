import assert from "node:assert/strict";

import { type AnySubject, textSubject } from "@throughline/test/fuzz/subject.ts";
import fc from "fast-check";

import { outcomeOf } from "./outcome.ts";

const OUTCOMES = ["deadline-exceeded", "draining", "overloaded"].flatMap((outcome) =>
  [false, true].map((started) => ({ outcome, started, text: `${outcome};started=?${started ? 1 : 0}` })),
);

const outcome = textSubject({
  name: "throughline-outcome",
  valid: fc.constantFrom(...OUTCOMES.map(({ text }) => text)),
  parse: (value) => outcomeOf({ headers: { get: () => value } } as unknown as Response),
  judge(value, read) {
    const own = OUTCOMES.find(({ text }) => text === value);
    assert.deepEqual(read, own && { outcome: own.outcome, started: own.started });
    return read !== undefined;
  },
});

export const subjects: readonly AnySubject[] = [outcome];
