import assert from "node:assert/strict";

import fc from "fast-check";

import { redactQuery } from "../../packages/http/src/telemetry/attributes.ts";
import { asciiLower, textOf, TOKEN } from "./alphabet.ts";
import { type AnySubject, textSubject } from "./subject.ts";

const SECRETS = ["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"];

const name = fc.oneof(fc.constantFrom(...SECRETS, "SIG"), textOf(TOKEN.replace("&", ""), 1, 8));
const valid = fc
  .array(fc.tuple(name, textOf("abc%20=?+/", 0, 8)), { minLength: 1, maxLength: 5 })
  .map((pairs) => `?${pairs.map((pair) => pair.join("=")).join("&")}`);

/** Each parameter, from its mark to the next. */
function parameters(query: string): string[] {
  const found: string[] = [];
  for (const character of query) {
    if ("?&#".includes(character) || found.length === 0) found.push(character);
    else found.push(found.pop()! + character);
  }
  return found;
}

/** What a span tells of a request's query. */
export const query: AnySubject = textSubject({
  name: "query, redacted",
  valid,
  parse: redactQuery,
  judge(value, redacted) {
    // A mark of a question may also be part of a value: then it is nothing new.
    let secret: string | undefined;
    const expected = parameters(value).map((each) => {
      if (secret !== undefined && each.startsWith("?")) return "";
      const [key, ...more] = each.slice(1).split("=");
      const isSecret = more.length > 0 && SECRETS.some((known) => asciiLower(known) === asciiLower(key!));
      secret = isSecret && !each.startsWith("#") && "?&".includes(each[0]!) ? key : undefined;
      return secret === undefined ? each : `${each[0]}${key}=REDACTED`;
    });
    assert.equal(redacted, expected.join(""));
    return redacted !== value;
  },
});
