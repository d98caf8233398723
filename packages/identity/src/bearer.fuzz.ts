import assert from "node:assert/strict";

import { background } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import { NodeHeaders } from "@throughline/http/adapter";
import { DIGITS, isMadeOf, LOWER, textOf, UPPER } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, textSubject } from "@throughline/test/fuzz/subject.ts";
import fc from "fast-check";

import { bearer } from "./bearer.ts";

const B64TOKEN = `${LOWER}${UPPER}${DIGITS}-._~+/`;

/** RFC 6750, 2.1; a scheme may be in any case (RFC 9110, 11.1). */
function readCredentials(value: string): string | undefined {
  let token = value.slice(6);
  if (value.slice(0, 6).toLowerCase() !== "bearer" || value[6] !== " " || value.charCodeAt(0) > 0x7f) return undefined;
  while (token.startsWith(" ")) token = token.slice(1);
  const padding = token.indexOf("=");
  const [before, after] = padding === -1 ? [token, ""] : [token.slice(0, padding), token.slice(padding)];
  return before !== "" && isMadeOf(before, B64TOKEN) && isMadeOf(after, "=") ? token : undefined;
}

const credentials = textSubject({
  name: "authorization: Bearer",
  valid: fc
    .tuple(
      fc.constantFrom("Bearer", "bearer", "BEARER", "bEaReR"),
      textOf(" ", 1, 3),
      textOf(B64TOKEN, 1, 40),
      textOf("=", 0, 3),
    )
    .map((parts) => parts.join("")),
  /** The token that the verifier receives; `undefined` if it is not called. */
  async parse(authorization) {
    let verified: string | undefined;
    const guard = bearer((token) => {
      verified = token;
      return Promise.resolve({ subject: "ada", scopes: [] });
    });
    try {
      await guard({ ctx: background, headers: new NodeHeaders({ authorization }) });
    } catch (error) {
      if (!(error instanceof Unauthenticated)) throw error;
    }
    return verified;
  },
  judge(value, token) {
    assert.equal(token, readCredentials(value));
    return token !== undefined;
  },
});

export const subjects: readonly AnySubject[] = [credentials];
