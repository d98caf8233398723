import fc, { type Arbitrary } from "fast-check";

import { DIGITS, isMadeOf, LOWER, span, textOf, TOKEN } from "./alphabet.ts";

/** W3C Baggage, 3.3.1, and its limits, 3.3.2. */
export const OCTETS = `!${span(0x23, 0x2b)}${span(0x2d, 0x3a)}${span(0x3c, 0x5b)}${span(0x5d, 0x7e)}`;
export const MOST_BYTES = 8192;
export const MOST_MEMBERS = 180;

/** What may stand in a header's field (RFC 9110, 5.5), as bytes. OpenTelemetry puts anything in the place of properties. */
const FIELD = `\t${span(0x20, 0x7e)}${span(0x80, 0xff)}`;

export interface Read {
  readonly name: string;
  readonly value: string;
  readonly text: string;
}

export function isField(text: string): boolean {
  return isMadeOf(text, FIELD);
}

/** A member as it is written, or `undefined`. */
export function readMember(written: string): Read | undefined {
  const text = withoutSpace(written);
  const [pair, properties] = cut(text, ";");
  const [name, value] = cut(pair, "=").map((each) => each && withoutSpace(each));
  if (!name || !isMadeOf(name, TOKEN) || value === undefined || !isMadeOf(value, OCTETS)) return undefined;
  return isField(properties ?? "") ? { name, value, text } : undefined;
}

/** A member's name as the most careless reader sees it: see {@link loose}. */
export function looseName(written: string): string {
  const name = cut(cut(written, ";")[0], "=")[0];
  return loose(decoded(name));
}

/** A name without case, without all that is no letter and no digit, and without the `HTTP_` that CGI puts before headers. */
export function loose(name: string): string {
  const plain = Array.from(name.toLowerCase())
    .filter((each) => `${LOWER}${DIGITS}`.includes(each))
    .join("");
  return plain.startsWith("http") && plain !== "http" ? plain.slice("http".length) : plain;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Whoever reads it all the same decodes what there is to decode.
    return text.replaceAll(/%[0-7][0-9a-f]/gi, (escape) => decodeURIComponent(escape));
  }
}

export function readBaggage(header: string): Read[] {
  if (header.length > MOST_BYTES) return [];
  return header
    .split(",")
    .slice(0, MOST_MEMBERS)
    .map(readMember)
    .filter((each) => each !== undefined);
}

const space = fc.constantFrom("", "", "", " ", "\t", "  ");
/** Names by which values may be declared, few enough that one meets itself. */
const declared = fc.oneof(textOf("ab", 1, 2), textOf(LOWER, 1, 8));
const name = fc.oneof(textOf(TOKEN, 1, 12), declared, textOf("AB", 1, 1));
const value = textOf(OCTETS, 0, 12);
const property = fc
  .tuple(space, name, fc.option(fc.tuple(space, fc.constant("="), space, value)), space)
  .map(([before, key, rest, after]) => `;${before}${key}${rest?.join("") ?? ""}${after}`);

export const member: Arbitrary<string> = fc
  .tuple(space, name, space, fc.constant("="), space, value, space, fc.array(property, { maxLength: 2 }))
  .map((parts) => parts.flat().join(""));

export const baggage: Arbitrary<string> = fc
  .array(member, { minLength: 1, maxLength: 5 })
  .map((members) => members.join(","));

/** Some entries to be added. */
export const entries: Arbitrary<[string, string][]> = fc.array(fc.tuple(declared, value), { maxLength: 4 });

/** Both parts around the first of these characters; the second is `undefined` without it. */
function cut(text: string, character: string): [string, string | undefined] {
  const at = text.indexOf(character);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Without blanks and tabs around it, and nothing else that is space elsewhere. */
function withoutSpace(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && " \t".includes(text[from]!)) from += 1;
  while (to > from && " \t".includes(text[to - 1]!)) to -= 1;
  return text.slice(from, to);
}
