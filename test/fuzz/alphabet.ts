import fc, { type Arbitrary } from "fast-check";

/**
 * Alphabets of the grammars, written out: regular expressions are under test, so the second readers do not use them.
 */
export const DIGITS = "0123456789";
export const LOWER = "abcdefghijklmnopqrstuvwxyz";
export const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
export const LOWER_HEX = `${DIGITS}abcdef`;
/** The characters of a token (RFC 9110, 5.6.2). */
export const TOKEN = `!#$%&'*+-.^_\`|~${DIGITS}${LOWER}${UPPER}`;

export function isMadeOf(text: string, alphabet: string): boolean {
  for (const character of text) if (!alphabet.includes(character)) return false;
  return true;
}

/** Lowers ASCII letters only. */
export function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** All characters from one code to another. */
export function span(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, index) => String.fromCharCode(from + index)).join("");
}

/** Text made of the characters of an alphabet. */
export function textOf(alphabet: string, minLength: number, maxLength: number): Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...alphabet.split("")), minLength, maxLength, size: "max" });
}
