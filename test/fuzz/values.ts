import fc, { type Arbitrary } from "fast-check";

/** Any text: header bytes, characters of every script, unpaired surrogates. */
export const anyText: Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1")),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);

/** Delimiters of the grammars, and characters that look like valid ones. */
const INTRUDERS = [
  " |\t|\n|\r\n|\0|\u000b|\u007f|\u00a0|\u2028|\ufeff|\ud800",
  ',|;|=|-|+|.|/|:|*|%|@|?|#|"|\\|[|]|_|~|::|%2C|%00',
  "0|1|9|a|f|g|z|A|G|Z|`|{|}|e|x|\u0661|\uff11|\u017f|\u212a|\u3002",
].flatMap((some) => some.split("|"));

type Change = (text: string, at: number, to: number, intruder: string) => string;

const CHANGES: readonly Change[] = [
  (text, at, _, intruder) => text.slice(0, at) + intruder + text.slice(at),
  (text, at, _, intruder) => text.slice(0, at) + intruder + text.slice(at + 1),
  (text, _, __, intruder) => intruder + text,
  (text, _, __, intruder) => text + intruder,
  (text, at) => text.slice(0, at) + text.slice(at + 1),
  (text, at, to) => text.slice(0, at) + text.slice(to),
  (text, at) => text.slice(0, at),
  (text, at) => text.slice(at),
  (text, at) => text.slice(0, at) + text.slice(at + 1, at + 2) + text.slice(at, at + 1) + text.slice(at + 2),
  (text, at, to) => text.slice(0, to) + text.slice(at),
  (text, _, __, intruder) => text + intruder + text,
  (text, at, to) => text.slice(0, at) + text.slice(at, at + 1).repeat(to + 2) + text.slice(at),
  (text, at) => text.slice(0, at) + swapCase(text.slice(at, at + 1)) + text.slice(at + 1),
  (text) => swapCase(text),
];

/** Valid texts with one to three changes. */
export function almost(valid: Arbitrary<string>): Arbitrary<string> {
  const change = fc.tuple(fc.constantFrom(...CHANGES), fc.nat(), fc.nat(), fc.constantFrom(...INTRUDERS));
  return fc.tuple(valid, fc.array(change, { minLength: 1, maxLength: 3 })).map(([text, changes]) => {
    let changed = text;
    for (const [apply, first, second, intruder] of changes) {
      const [at, to] = [first % (changed.length + 1), second % (changed.length + 1)].sort((a, b) => a - b);
      changed = apply(changed, at!, to!, intruder);
    }
    return changed;
  });
}

/** A text with a part that can be repeated. */
export interface Pumped {
  readonly head: string;
  readonly unit: string;
  readonly tail: string;
}

/**
 * Texts to lengthen: they repeat white space, a piece of a valid text or a foreign character, and may have an invalid
 * end.
 */
export function pumped(valid: Arbitrary<string>): Arbitrary<Pumped> {
  const unit = fc.oneof(fc.constantFrom(" ", "\t"), fc.constant("own"), fc.constantFrom(...INTRUDERS));
  const end = fc.oneof(fc.constantFrom("", "\0", '"'), fc.constantFrom(...INTRUDERS));
  return fc
    .tuple(valid, fc.nat(), fc.integer({ min: 1, max: 4 }), unit, fc.boolean(), end)
    .map(([text, position, length, unit, isWhole, end]) => {
      const at = position % (text.length + 1);
      const own = text.slice(at, at + length) || text || "0";
      const tail = isWhole ? text.slice(at) + end : end;
      return { head: text.slice(0, at), unit: unit === "own" ? own : unit, tail };
    });
}

/** Repeats the unit. @param length the largest length of the result; it may be a few characters shorter */
export function pump({ head, unit, tail }: Pumped, length: number): string {
  return head + unit.repeat(Math.max(1, Math.floor((length - head.length - tail.length) / unit.length))) + tail;
}

function swapCase(text: string): string {
  return text === text.toLowerCase() ? text.toUpperCase() : text.toLowerCase();
}
