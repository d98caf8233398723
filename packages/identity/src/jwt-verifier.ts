import { type Context, current, type Duration } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

import type { KeyOptions, Keys } from "./keys.ts";
import { type Actor, type Principal, rememberToken } from "./principal.ts";
import { dateOf, scopesOf, tokenVerifier, type VerifiedToken } from "./verify-token.ts";

/** The rules that a token must satisfy. */
export interface JwtVerifierOptions extends KeyOptions {
  /** The accepted values of `iss`. */
  issuer: string | readonly string[];
  /** The accepted values of `aud`. */
  audience: string | readonly string[];
  /** The accepted signature algorithms, such as `["ES256"]`. They are never read from the token. */
  algorithms: readonly string[];
  /** The URL of a JWK set, a JWK set, or a key. */
  keys: Keys;
  /** The required `typ` of the header, such as `"at+jwt"` (RFC 9068). @default any */
  typ?: string;
  /** Required claims besides `sub` and `exp`. @default [] */
  requiredClaims?: readonly string[];
  /** The maximum time since `iat`. @default no limit besides `exp` */
  maxTokenAge?: Duration;
  /** The accepted clock difference. @default "5s" */
  clockTolerance?: Duration;
  /** The claim that contains the tenant. @default "tenant" */
  tenantClaim?: string;
}

/** Verifies a token and returns its principal. The context defaults to `current()`. */
export type JwtVerifier = (token: string, ctx?: Context) => Promise<Principal>;

/**
 * Creates a verifier of signed JSON Web Tokens (RFC 7519), based on `jose`. A remote JWK set is fetched once for all
 * tokens and cached. It is fetched again in the background when it is due, and when a token names a key that it does
 * not contain. A token waits for it until its own context ends.
 *
 * The verifier rejects with `Unauthenticated` for a token that is not valid, with the context's error if the context
 * ends, and with an Error if the JWK set is not available.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function jwtVerifier(options: JwtVerifierOptions): JwtVerifier {
  const action = "create a verifier";
  const { requiredClaims = [], tenantClaim = "tenant", ...rules } = options;
  if (rules.issuer === undefined) {
    throw new TypeError(
      `Cannot ${action}: 'issuer' must be a string or a list of strings; received ${describeValue(undefined)}`,
    );
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
  return async (token, ctx = current()) => rememberToken(principalOf(await verify(token, ctx), tenantClaim), token);
}

function principalOf({ claims, expiresAt }: VerifiedToken, tenantClaim: string): Principal {
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

/** Limits the nesting of `act`, which comes from the token. */
const MAX_ACTORS = 8;

function actorOf(act: unknown, depth: number): Actor | undefined {
  if (typeof act !== "object" || act === null || depth === MAX_ACTORS) return undefined;
  const { sub, act: next } = act as { sub?: unknown; act?: unknown };
  return typeof sub === "string" ? { subject: sub, actor: actorOf(next, depth + 1) } : undefined;
}
