import assert from "node:assert/strict";

import { asciiLower, isMadeOf, LOWER_HEX, textOf, TOKEN } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, textSubject } from "@throughline/test/fuzz/subject.ts";
import fc, { type Arbitrary } from "fast-check";

import { redactQuery } from "./attributes.ts";

const SECRETS = (
  "awsaccesskeyid signature sig x-goog-signature x-amz-signature x-amz-credential x-amz-security-token " +
  "access_token id_token refresh_token token code client_secret password api_key apikey"
).split(" ");

/** Text with some of its characters percent-encoded once or several times. */
function encoded(text: Arbitrary<string>): Arbitrary<string> {
  return fc.tuple(text, fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 8 })).map(([plain, levels]) =>
    plain
      .split("")
      .map((character, index) => {
        const level = levels[index % levels.length]!;
        const code = character.charCodeAt(0).toString(16).padStart(2, "0");
        return level < 5 ? character : `%${"25".repeat(level - 5)}${level === 7 ? code.toUpperCase() : code}`;
      })
      .join(""),
  );
}

const name = fc.oneof(fc.constantFrom(...SECRETS, "SIG", "X-Amz-Signature"), textOf(TOKEN.replace("&", ""), 1, 8));
const parameter = fc
  .tuple(fc.oneof(fc.constantFrom("&", "&", ";", "#", "?"), encoded(fc.constantFrom("&", "?"))), encoded(name))
  .chain((parts) => fc.tuple(fc.constant(parts.join("")), encoded(fc.constant("=")), textOf("abc%20=?+/;", 0, 8)))
  .map((parts) => parts.join(""));
const valid = fc.array(parameter, { minLength: 1, maxLength: 5 }).map((all) => `?${all.join("").slice(1)}`);

interface Read {
  readonly character: string;
  readonly written: string;
}

/** Each character, fully decoded, with its written form. */
function read(query: string): Read[] {
  const all: Read[] = [];
  for (let at = 0; at < query.length; at += all.at(-1)!.written.length) {
    let digits = at + 1;
    if (query[at] === "%") while (query.startsWith("25", digits)) digits += 2;
    const hex = query.slice(digits, digits + 2);
    const isEncoded = query[at] === "%" && hex.length === 2 && isMadeOf(asciiLower(hex), LOWER_HEX);
    const written = isEncoded ? query.slice(at, digits + 2) : query[at]!;
    all.push({ character: isEncoded ? String.fromCharCode(Number.parseInt(hex, 16)) : written, written });
  }
  return all;
}

/** Redacts the query one character at a time, as the parser must. */
function redact(query: string): string {
  const all = read(query);
  const plain = asciiLower(all.map(({ character }) => character).join(""));
  let redacted = "";
  for (let at = 0; at < all.length; at++) {
    const secret = "?&;#".includes(plain[at]!) && SECRETS.find((each) => plain.startsWith(`${each}=`, at + 1));
    const end = at + (secret ? secret.length + 2 : 1);
    for (const { written } of all.slice(at, end)) redacted += written;
    if (!secret) continue;
    redacted += "REDACTED";
    at = end;
    while (at < all.length && all[at]!.written !== "&") at += 1;
    at -= 1;
  }
  return redacted;
}

/** The query that a span records. */
const redactedQuery = textSubject({
  name: "query, redacted",
  valid,
  parse: redactQuery,
  judge(value, redacted) {
    assert.equal(redacted, redact(value));
    assert.equal(redactQuery(redacted), redacted, "Redacting twice changes the result");
    return redacted !== value;
  },
});

export const subjects: readonly AnySubject[] = [redactedQuery];
