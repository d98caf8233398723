import fc, { type Arbitrary } from "fast-check";

import { DIGITS, isMadeOf, LOWER, span, textOf, TOKEN } from "./alphabet.ts";

/** The characters of a value (W3C Baggage, 3.3.1) and the limits (3.3.2). */
export const OCTETS = `!${span(0x23, 0x2b)}${span(0x2d, 0x3a)}${span(0x3c, 0x5b)}${span(0x5d, 0x7e)}`;
export const MOST_BYTES = 8192;
export const MOST_MEMBERS = 180;

/** The bytes of a header field (RFC 9110, 5.5). OpenTelemetry writes any of them as properties. */
const FIELD = `\t${span(0x20, 0x7e)}${span(0x80, 0xff)}`;

export interface Read {
  readonly name: string;
  readonly value: string;
  readonly text: string;
}

export function isField(text: string): boolean {
  return isMadeOf(text, FIELD);
}

/** Reads a member; `undefined` if it is invalid. */
export function readMember(written: string): Read | undefined {
  const text = withoutSpace(written);
  const [pair, properties] = cut(text, ";");
  const [name, value] = cut(pair, "=").map((each) => each && withoutSpace(each));
  if (!name || !isMadeOf(name, TOKEN) || value === undefined || !isMadeOf(value, OCTETS)) return undefined;
  return isField(properties ?? "") ? { name, value, text } : undefined;
}

/** The name of a member as the most lenient reader sees it: see {@link loose}. */
export function looseName(written: string): string {
  const name = cut(cut(written, ";")[0], "=")[0];
  return loose(decoded(name));
}

/** A name reduced to lower-case letters and digits, without the `HTTP_` that CGI puts before headers. */
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
    // A lenient reader decodes the escapes that are valid.
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
/** Names of propagated values; few, so that some occur twice. */
const valueName = fc.oneof(textOf("ab", 1, 2), textOf(LOWER, 1, 8));
const name = fc.oneof(textOf(TOKEN, 1, 12), valueName, textOf("AB", 1, 1));
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

/** Entries to add. */
export const entries: Arbitrary<[string, string][]> = fc.array(fc.tuple(valueName, value), { maxLength: 4 });

/** The parts before and after the first occurrence of the character; without it, the second is `undefined`. */
function cut(text: string, character: string): [string, string | undefined] {
  const at = text.indexOf(character);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Trims blanks and tabs, and no other white space. */
function withoutSpace(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && " \t".includes(text[from]!)) from += 1;
  while (to > from && " \t".includes(text[to - 1]!)) to -= 1;
  return text.slice(from, to);
}
