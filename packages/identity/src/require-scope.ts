import { describeValue } from "@throughline/context/internal";
import { Forbidden, type Guard, Unauthenticated } from "@throughline/http";

import { principal } from "./principal.ts";

/** The grammar of a scope (RFC 6749, 3.3). */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * Creates a guard that requires all these scopes of the principal: `app.get("/stock",
 * guard(requireScope("inventory:read")), ...)`. A request without a principal gets 401; a principal without the scopes
 * gets 403.
 *
 * @throws TypeError if there is no scope, or a scope is not valid
 */
export function requireScope(...scopes: string[]): Guard {
  if (scopes.length === 0 || !scopes.every((scope) => typeof scope === "string" && SCOPE.test(scope))) {
    throw new TypeError(
      `Cannot create a guard: it needs scopes, such as "inventory:read"; received ${scopes.map(describeValue).join(", ")}`,
    );
  }
  const challenge = `Bearer error="insufficient_scope", scope="${scopes.join(" ")}"`;
  return function requireScope({ ctx }) {
    const bound = principal(ctx);
    if (bound === undefined) throw new Unauthenticated("the request is not authenticated");
    if (!scopes.every((scope) => bound.scopes.includes(scope)))
      throw new Forbidden("a scope is missing", { challenge });
  };
}
