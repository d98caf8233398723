import type { Arbitrary } from "fast-check";

import { almost, anyText, type Pumped, pumped } from "./values.ts";

/** One parser of untrusted input, its input values, and the check of its results. */
export interface Subject<V, R> {
  readonly name: string;
  /** The number of values, relative to other subjects. @default 1 */
  readonly share?: number;
  readonly random: Arbitrary<V>;
  readonly mutated: Arbitrary<V>;
  /** Values that match the grammar. The subject fails if the parser accepts none of them. */
  readonly valid: Arbitrary<V>;
  /** Texts that are repeated to a given length, to measure how the time grows. */
  readonly long?: { readonly texts: Arbitrary<Pumped>; from(text: string): V };
  /** The parser. Only this function is timed. */
  parse(value: V): R;
  /**
   * Reads the value with a second, simple reader and throws if the parser's result differs. Returns whether the value was
   * accepted.
   */
  judge(value: V, parsed: Awaited<R>): boolean;
}

/** A subject of any type. */
export type AnySubject = Subject<unknown, unknown>;

export function subject<V, R>(parts: Subject<V, R>): AnySubject {
  return parts as unknown as AnySubject;
}

/** Makes the subject of a parser of text. */
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
