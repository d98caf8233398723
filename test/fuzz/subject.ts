import type { Arbitrary } from "fast-check";

import { almost, anyText, type Pumped, pumped } from "./values.ts";

/** One parser of what comes from outside, what it is given, and what must hold of its answers. */
export interface Subject<V, R> {
  readonly name: string;
  /** How many values it is given, compared with the others. @default 1 */
  readonly share?: number;
  readonly random: Arbitrary<V>;
  readonly mutated: Arbitrary<V>;
  /** Made by the grammar. If none at all is accepted, nothing has been proved. */
  readonly valid: Arbitrary<V>;
  /** What is made longer and longer, to see how the time grows. */
  readonly long?: { readonly texts: Arbitrary<Pumped>; from(text: string): V };
  /** The parser. All else is in nobody's time. */
  parse(value: V): R;
  /** Reads the value in a second, simple way, and throws if the parser did not read the same. Returns whether it was accepted. */
  judge(value: V, parsed: Awaited<R>): boolean;
}

/** Subjects of all types. */
export type AnySubject = Subject<unknown, unknown>;

export function subject<V, R>(parts: Subject<V, R>): AnySubject {
  return parts as unknown as AnySubject;
}

/** A parser of text. */
export function textSubject<R>(
  parts: Pick<Subject<string, R>, "name" | "share" | "valid" | "parse" | "judge">,
): AnySubject {
  const { valid } = parts;
  return subject({
    ...parts,
    random: anyText,
    mutated: almost(valid),
    long: { texts: pumped(valid), from: (text) => text },
  });
}
