import assert from "node:assert/strict";

import { background } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import fc from "fast-check";

import { NodeHeaders } from "../../packages/http/src/wire/headers.ts";
import { bearer } from "../../packages/identity/src/bearer.ts";
import { DIGITS, isMadeOf, LOWER, textOf, UPPER } from "./alphabet.ts";
import { type AnySubject, textSubject } from "./subject.ts";

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

export const credentials: AnySubject = textSubject({
  name: "authorization: Bearer",
  valid: fc
    .tuple(
      fc.constantFrom("Bearer", "bearer", "BEARER", "bEaReR"),
      textOf(" ", 1, 3),
      textOf(B64TOKEN, 1, 40),
      textOf("=", 0, 3),
    )
    .map((parts) => parts.join("")),
  /** The token that the verifier is asked about; `undefined` if it is not asked. */
  async parse(authorization) {
    let asked: string | undefined;
    const guard = bearer((token) => {
      asked = token;
      return Promise.resolve({ subject: "ada", scopes: [] });
    });
    try {
      await guard({ ctx: background, headers: new NodeHeaders({ authorization }) });
    } catch (error) {
      if (!(error instanceof Unauthenticated)) throw error;
    }
    return asked;
  },
  judge(value, token) {
    assert.equal(token, readCredentials(value));
    return token !== undefined;
  },
});
