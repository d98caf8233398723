import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import { type Guard, Unauthenticated } from "@throughline/http";
import { type JwtVerifier, type Principal, withPrincipal } from "@throughline/identity";

/** Signs the tokens of this process. They are of no use to any other process. */
const KEY = randomBytes(32);

const PREFIX = "fake-token-for-tests";

/** Returns a principal whose names say that it is one of a test. The arguments replace its properties. */
export function testPrincipal(changes: Partial<Principal> = {}): Principal {
  return { subject: "test-subject", scopes: [], issuer: "https://test-issuer.invalid", ...changes };
}

/** Returns a bearer token of a principal, which only {@link fakeVerifier} in the same process accepts. */
export function fakeToken(principal: Principal = testPrincipal()): string {
  const payload = Buffer.from(JSON.stringify(principal)).toString("base64url");
  return [PREFIX, payload, signature(payload)].join(".");
}

/**
 * Creates a verifier for `bearer()` that accepts the tokens of {@link fakeToken} and rejects all others with 401.
 *
 * @throws Error if `NODE_ENV` is `"production"`
 */
export function fakeVerifier(): JwtVerifier {
  refuseInProduction("create a fake verifier");
  return async function fakeVerifier(token) {
    const [prefix, payload = "", sent = "", ...others] = token.split(".");
    const wanted = Buffer.from(signature(payload));
    const isSigned = sent.length === wanted.length && timingSafeEqual(Buffer.from(sent), wanted);
    if (prefix !== PREFIX || others.length > 0 || !isSigned) {
      throw new Unauthenticated("the token is not a fakeToken() of this process", {
        challenge: 'Bearer error="invalid_token"',
      });
    }
    const principal = JSON.parse(Buffer.from(payload, "base64url").toString()) as Principal;
    const { authTime, expiresAt, ...rest } = principal;
    if (expiresAt !== undefined && Date.parse(String(expiresAt)) <= Date.now()) {
      throw new Unauthenticated("the token has expired", { challenge: 'Bearer error="invalid_token"' });
    }
    return {
      ...rest,
      ...(authTime === undefined ? undefined : { authTime: new Date(authTime) }),
      ...(expiresAt === undefined ? undefined : { expiresAt: new Date(expiresAt) }),
    };
  };
}

/**
 * Creates a guard that gives every request a principal, for `guard()` of every host:
 * `app.use(guard(injectTestPrincipal({ subject: "ada" })))`. It needs no token.
 *
 * @throws Error if `NODE_ENV` is `"production"`
 */
export function injectTestPrincipal(changes: Partial<Principal> = {}): Guard {
  refuseInProduction("create a guard with a test principal");
  const principal = testPrincipal(changes);
  return function injectTestPrincipal({ ctx }) {
    return withPrincipal(ctx, principal);
  };
}

function signature(payload: string): string {
  return createHmac("sha256", KEY).update(payload).digest("base64url");
}

function refuseInProduction(action: string): void {
  if (process.env["NODE_ENV"] === "production") {
    throw new Error(`Cannot ${action}: it authenticates without a proof, and NODE_ENV is "production"`);
  }
}
