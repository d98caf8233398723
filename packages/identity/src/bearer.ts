import { callable } from "@throughline/context/internal";
import { type Guard, Unauthenticated } from "@throughline/http";

import type { JwtVerifier } from "./jwt-verifier.ts";
import { withPrincipal } from "./principal.ts";

/** RFC 6750, 2.1. */
const CREDENTIALS = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * A guard that lets through who has a token that holds, and binds who that is: `app.use(guard(bearer(jwtVerifier({ ... }))))`.
 *
 * @throws TypeError if it is given no verifier
 */
export function bearer(verify: JwtVerifier): Guard {
  callable("verify", verify, "make a guard");
  return async function bearer({ ctx, headers }) {
    const value = headers.get("authorization");
    if (value === undefined) throw new Unauthenticated("there is no token");
    const token = typeof value === "string" ? CREDENTIALS.exec(value)?.[1] : undefined;
    if (token === undefined) {
      throw new Unauthenticated("there is no token that can be read", { challenge: 'Bearer error="invalid_request"' });
    }
    return withPrincipal(ctx, await verify(token, ctx));
  };
}
