import { describeValue } from "@throughline/context/internal";
import { Forbidden, type Guard, Unauthenticated } from "@throughline/http";

import { principal } from "./principal.ts";

/** RFC 6749, 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * A guard that lets through whose principal has all these scopes: `app.get("/stock", guard(requireScope("inventory:read")), ...)`. Nobody known is 401,
 * somebody without them 403.
 *
 * @throws TypeError if a scope is none
 */
export function requireScope(...scopes: string[]): Guard {
  if (scopes.length === 0 || !scopes.every((scope) => typeof scope === "string" && SCOPE.test(scope))) {
    throw new TypeError(
      `Cannot make a guard: it needs scopes, such as "inventory:read"; received ${scopes.map(describeValue).join(", ")}`,
    );
  }
  const challenge = `Bearer error="insufficient_scope", scope="${scopes.join(" ")}"`;
  return function requireScope({ ctx }) {
    const who = principal(ctx);
    if (who === undefined) throw new Unauthenticated("the request is of nobody known");
    if (!scopes.every((scope) => who.scopes.includes(scope))) throw new Forbidden("a scope is missing", { challenge });
  };
}
