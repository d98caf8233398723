import { type Context, current, type Duration } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

import { dateOf, scopesOf } from "./claims.ts";
import type { KeyOptions, Keys } from "./keys.ts";
import { type Actor, type Principal, provenBy } from "./principal.ts";
import { tokenVerifier, type Verified } from "./verify-token.ts";

/** What a token must be. All that is not said here is refused. */
export interface JwtVerifierOptions extends KeyOptions {
  issuer: string | readonly string[];
  audience: string | readonly string[];
  /** The algorithms that a signature may have: `["ES256"]`. */
  algorithms: readonly string[];
  /** The URL of a JWK set, a JWK set, or a key. */
  keys: Keys;
  /** The type that the header must name, such as `"at+jwt"` (RFC 9068). @default any */
  typ?: string;
  /** Claims that there must be besides `sub` and `exp`. @default none */
  requiredClaims?: readonly string[];
  /** How long ago it may have been issued. @default as long as it has not expired */
  maxTokenAge?: Duration;
  /** By how much clocks may differ. @default "5s" */
  clockTolerance?: Duration;
  /** The claim that names the tenant. @default "tenant" */
  tenantClaim?: string;
}

/** Verifies a token and says who it is for. */
export type JwtVerifier = (token: string, ctx?: Context) => Promise<Principal>;

/**
 * Makes a verifier of signed tokens (RFC 7519), on `jose`. A remote JWK set is fetched once for all tokens, kept, and fetched again
 * in the background when it is due, or when a token names a key that is not in it. A token waits for it no longer than its own context allows.
 *
 * The verifier rejects with `Unauthenticated` for a token that does not hold, with the context's error if that ends, and with an Error if no keys
 * are to be had.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function jwtVerifier(options: JwtVerifierOptions): JwtVerifier {
  const action = "make a verifier";
  const { requiredClaims = [], tenantClaim = "tenant", ...rules } = options;
  if (rules.issuer === undefined) {
    throw new TypeError(`Cannot ${action}: 'issuer' must be a string, or a list of some: it is missing`);
  }
  if (!Array.isArray(requiredClaims) || !requiredClaims.every((each) => typeof each === "string")) {
    throw new TypeError(
      `Cannot ${action}: 'requiredClaims' must be a list of names; received ${describeValue(requiredClaims)}`,
    );
  }
  if (typeof tenantClaim !== "string") {
    throw new TypeError(`Cannot ${action}: 'tenantClaim' must be a string; received ${describeValue(tenantClaim)}`);
  }
  const verify = tokenVerifier({ ...rules, requiredClaims: ["sub", "exp", ...requiredClaims] }, action);
  return async (token, ctx = current()) => provenBy(principalOf(await verify(token, ctx), tenantClaim), token);
}

function principalOf({ claims, expiresAt }: Verified, tenantClaim: string): Principal {
  const { sub, iss, scope, act } = claims;
  const tenant = claims[tenantClaim];
  return {
    subject: sub!,
    scopes: scopesOf(scope ?? claims["scp"]),
    issuer: iss,
    expiresAt,
    authTime: dateOf(claims["auth_time"]),
    tenant: typeof tenant === "string" ? tenant : undefined,
    actor: actorOf(act, 0),
  };
}

/** How far a chain is followed that somebody else has made. */
const MOST_ACTORS = 8;

function actorOf(act: unknown, depth: number): Actor | undefined {
  if (typeof act !== "object" || act === null || depth === MOST_ACTORS) return undefined;
  const { sub, act: next } = act as { sub?: unknown; act?: unknown };
  return typeof sub === "string" ? { subject: sub, actor: actorOf(next, depth + 1) } : undefined;
}
