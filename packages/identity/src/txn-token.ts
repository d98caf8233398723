import { type Context, type Duration } from "@throughline/context";
import { describeValue, milliseconds } from "@throughline/context/internal";
import { type Guard, Unauthenticated } from "@throughline/http";
import { single } from "@throughline/http/adapter";

import type { KeyOptions, Keys } from "./keys.ts";
import { type Principal, withPrincipal } from "./principal.ts";
import { withTxnToken } from "./txn-token-propagation.ts";
import { invalidToken, scopesOf, tokenVerifier, type VerifiedToken } from "./verify-token.ts";

/** The rules that a Txn-Token of the trust domain must satisfy. */
export interface TxnTokenOptions extends KeyOptions {
  /** The required `aud`. */
  trustDomain: string;
  /** The accepted signature algorithms, such as `["ES256"]`. They are never read from the token. */
  algorithms: readonly string[];
  /** The keys of the domain's Txn-Token service: the URL of a JWK set, a JWK set, or a key. */
  keys: Keys;
  /** The required `iss`. @default not checked, since the audience identifies the trust domain */
  issuer?: string;
  /** The maximum time from `iat` to `exp`: a stolen Txn-Token is usable until it expires. @default "1h" */
  maxLifetime?: Duration;
  /** The maximum time since `iat`. @default no limit besides `exp` */
  maxTokenAge?: Duration;
  /** The accepted clock difference. @default "5s" */
  clockTolerance?: Duration;
}

/**
 * Creates a guard for services inside a trust domain (draft-ietf-oauth-transaction-tokens). It verifies the request's
 * `Txn-Token` and binds the principal of the transaction. Calls to other services send the token unchanged to the
 * `origins` of their client. A request without a valid token gets 401.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function txnToken(options: TxnTokenOptions): Guard {
  const verify = txnTokenVerifier(options, "create a guard");
  return async function txnToken({ ctx, headers }) {
    const token = single(headers, "txn-token");
    if (token === undefined) throw new Unauthenticated("the Txn-Token header is missing");
    return bindTxnToken(ctx, token, await verify(token, ctx));
  };
}

/** Returns a function that verifies a Txn-Token and returns its principal. */
export function txnTokenVerifier(
  options: TxnTokenOptions,
  action: string,
): (token: string, ctx: Context) => Promise<Principal> {
  const { trustDomain, maxLifetime = "1h", ...rules } = options;
  if (typeof trustDomain !== "string" || trustDomain === "") {
    throw new TypeError(
      `Cannot ${action}: 'trustDomain' must be a non-empty string; received ${describeValue(trustDomain)}`,
    );
  }
  const longest = milliseconds(maxLifetime, action, "maxLifetime");
  const verify = tokenVerifier(
    {
      ...rules,
      audience: trustDomain,
      typ: "txntoken+jwt",
      requiredClaims: ["iat", "exp", "txn", "sub", "scope", "req_wl"],
      // With a maximum age, jose rejects an `iat` in the future. This maximum is never reached before `exp`.
      maxTokenAge: rules.maxTokenAge ?? maxLifetime,
    },
    action,
  );
  return async (token, ctx) => {
    const verified = await verify(token, ctx);
    checkClaims(verified, longest);
    return principalOf(verified);
  };
}

/** Checks the rules that apply to Txn-Tokens only (draft-ietf-oauth-transaction-tokens, "JWT Body Claims"). */
function checkClaims(
  { claims: { aud, scope, txn, req_wl: requestedBy, iat, exp } }: VerifiedToken,
  longest: number,
): void {
  if (Array.isArray(aud) && aud.length !== 1) throw invalidToken("'aud' contains more than one trust domain");
  if (typeof scope !== "string") throw invalidToken("'scope' must be a string");
  if (txn === "" || requestedBy === "") throw invalidToken("'txn' and 'req_wl' must not be empty");
  if ((exp! - iat!) * 1000 > longest) throw invalidToken("its lifetime exceeds 'maxLifetime'");
}

/** A context with the principal, whose calls send the token. */
export function bindTxnToken(ctx: Context, token: string, principal: Principal): Context {
  return withTxnToken(withPrincipal(ctx, principal, token), token, principal.expiresAt!);
}

function principalOf({ claims, expiresAt }: VerifiedToken): Principal {
  const { sub, iss, scope, txn, req_wl: requestedBy, tctx: details, rctx: origin } = claims;
  return {
    subject: sub!,
    scopes: scopesOf(scope),
    issuer: iss,
    expiresAt,
    transaction: {
      id: String(txn),
      requestedBy: String(requestedBy),
      details: recordOf(details),
      origin: recordOf(origin),
    },
  };
}

function recordOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
