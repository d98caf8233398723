import fc, { type Arbitrary, type RunDetails } from "fast-check";

import type { AnySubject } from "./subject.ts";
import { pump, type Pumped } from "./values.ts";

/** The result of one subject. */
export interface Result {
  readonly name: string;
  /** Number of values of each kind, and how many of them the parser accepted. */
  readonly kinds: Readonly<Record<Kind, Count>>;
  readonly ms: number;
  /** Time of the slowest long value, in milliseconds. */
  readonly slowest: number;
  /** The failed properties, each with its counterexample. */
  readonly failures: readonly string[];
}

export interface Count {
  values: number;
  accepted: number;
}

/** The share of each kind in all values. Long values are slow, so there are few. */
const PARTS = { random: 0.25, mutated: 0.45, valid: 0.29, long: 0.01 } as const;

export type Kind = keyof typeof PARTS;

/** Lengths of long values: just below the limit of baggage, and Node's limit for all headers. */
const LENGTHS = [8000, 16_384];

/** The longest time that any value may take, in milliseconds. */
const LIMIT = 50;

/**
 * A value that takes longer than NOTICEABLE ms must not take more than GROWTH times as long as a quarter of its length.
 * Linear time would be 4 times as long.
 */
const NOTICEABLE = 10;
const GROWTH = 10;

/** Runs a subject with this many values. @param limit time for all of them, in milliseconds */
export async function examine(subject: AnySubject, values: number, seed: number, limit: number): Promise<Result> {
  const kinds = count();
  const failures: string[] = [];
  const from = performance.now();
  let slowest = 0;

  async function look<V>(kind: Kind, arbitrary: Arbitrary<V>, property: (value: V) => Promise<boolean>): Promise<void> {
    const of = kinds[kind];
    const run = await fc.check(
      fc.asyncProperty(arbitrary, async (value) => {
        const isAccepted = await property(value);
        of.values += 1;
        if (isAccepted) of.accepted += 1;
      }),
      {
        numRuns: Math.ceil(values * PARTS[kind]),
        seed,
        interruptAfterTimeLimit: Math.max(1, limit - (performance.now() - from)),
        markInterruptAsFailure: true,
      },
    );
    if (run.failed) failures.push(`${subject.name}, ${kind}: ${describeFailure(run)}`);
  }

  async function judged(value: unknown): Promise<boolean> {
    const began = performance.now();
    const parsed = await subject.parse(value);
    if (performance.now() - began > LIMIT) {
      const ms = await least(subject, value);
      if (ms > LIMIT) throw new Error(`The parser took ${ms.toFixed(1)} ms`);
    }
    return subject.judge(value, parsed);
  }

  async function grows(text: Pumped): Promise<boolean> {
    let isAccepted = false;
    for (const length of LENGTHS) {
      const value = subject.long!.from(pump(text, length));
      const began = performance.now();
      const parsed = await subject.parse(value);
      let ms = performance.now() - began;
      if (ms > NOTICEABLE) {
        ms = await least(subject, value);
        const before = await least(subject, subject.long!.from(pump(text, length / 4)));
        if (ms > LIMIT || (ms > NOTICEABLE && ms > before * GROWTH)) {
          throw new Error(`${length} characters took ${ms.toFixed(1)} ms, a quarter of them ${before.toFixed(1)} ms`);
        }
      }
      slowest = Math.max(slowest, ms);
      isAccepted = subject.judge(value, parsed);
    }
    return isAccepted;
  }

  await look("random", subject.random, judged);
  await look("mutated", subject.mutated, judged);
  await look("valid", subject.valid, judged);
  if (subject.long !== undefined) await look("long", subject.long.texts, grows);
  if (kinds.valid.accepted === 0)
    failures.push(`${subject.name}, valid: no value was accepted, so the subject proves nothing`);
  return { name: subject.name, kinds, ms: performance.now() - from, slowest, failures };
}

/** Describes a failure and how to reproduce it. */
function describeFailure<V>({ counterexample, errorInstance, seed, numRuns }: RunDetails<[V]>): string {
  if (counterexample === null) return `time ran out after ${numRuns} values`;
  const why = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return `${short(fc.stringify(counterexample))}\n${short(why)}\nseed ${seed}, value ${numRuns}`;
}

/** Escapes invisible characters and cuts long text. */
function short(text: string): string {
  const seen = text.replaceAll(/[^\n\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return seen.length > 600 ? `${seen.slice(0, 300)} … ${seen.slice(-300)}` : seen;
}

function count(): Record<Kind, Count> {
  const none = (): Count => ({ values: 0, accepted: 0 });
  return { random: none(), mutated: none(), valid: none(), long: none() };
}

/** The shortest of 8 runs, in milliseconds: a single run may be slow because the machine is busy. */
async function least({ parse }: AnySubject, value: unknown): Promise<number> {
  let ms = Infinity;
  for (let attempt = 0; attempt < 8; attempt++) {
    const began = performance.now();
    await parse(value);
    ms = Math.min(ms, performance.now() - began);
  }
  return ms;
}
