import assert from "node:assert/strict";

import fc, { type Arbitrary } from "fast-check";

import { redactQuery } from "../../packages/http/src/telemetry/attributes.ts";
import { asciiLower, isMadeOf, LOWER_HEX, textOf, TOKEN } from "./alphabet.ts";
import { type AnySubject, textSubject } from "./subject.ts";

const SECRETS = (
  "awsaccesskeyid signature sig x-goog-signature x-amz-signature x-amz-credential x-amz-security-token " +
  "access_token id_token refresh_token token code client_secret password api_key apikey"
).split(" ");

/** Text with some of its characters percent-encoded, once or more often. */
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

/** Each character as it is when it is decoded until nothing is left to decode, and as it was written. */
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

/** The same as is expected of the parser, a character at a time. */
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

/** What a span tells of a request's query. */
export const query: AnySubject = textSubject({
  name: "query, redacted",
  valid,
  parse: redactQuery,
  judge(value, redacted) {
    assert.equal(redacted, redact(value));
    assert.equal(redactQuery(redacted), redacted, "Redacted again, it is another");
    return redacted !== value;
  },
});
