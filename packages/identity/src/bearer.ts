import { callable } from "@throughline/context/internal";
import { type Guard, Unauthenticated } from "@throughline/http";

import type { JwtVerifier } from "./jwt-verifier.ts";
import { withPrincipal } from "./principal.ts";

/** The Authorization header (RFC 6750, 2.1). */
const CREDENTIALS = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * Creates a guard that verifies the bearer token of a request and binds its principal:
 * `app.use(guard(bearer(jwtVerifier({ ... }))))`. A request without a valid token gets 401.
 *
 * @throws TypeError if `verify` is not a function
 */
export function bearer(verify: JwtVerifier): Guard {
  callable("verify", verify, "create a guard");
  return async function bearer({ ctx, headers }) {
    const value = headers.get("authorization");
    if (value === undefined) throw new Unauthenticated("the Authorization header is missing");
    const token = typeof value === "string" ? CREDENTIALS.exec(value)?.[1] : undefined;
    if (token === undefined) {
      throw new Unauthenticated("the Authorization header is not a bearer token", {
        challenge: 'Bearer error="invalid_request"',
      });
    }
    return withPrincipal(ctx, await verify(token, ctx));
  };
}
