import { type Context, type Duration } from "@throughline/context";
import { describeValue, milliseconds } from "@throughline/context/internal";
import { type Guard, Unauthenticated } from "@throughline/http";
import { single } from "@throughline/http/adapter";

import { carryToken } from "./carried-token.ts";
import { scopesOf } from "./claims.ts";
import type { KeyOptions, Keys } from "./keys.ts";
import { type Principal, withPrincipal } from "./principal.ts";
import { invalidToken, tokenVerifier, type Verified } from "./verify-token.ts";

/** What a Txn-Token of the trust domain must be. */
export interface TxnTokenOptions extends KeyOptions {
  /** What `aud` must name. */
  trustDomain: string;
  /** The algorithms that a signature may have: `["ES256"]`. */
  algorithms: readonly string[];
  /** The keys of the domain's Txn-Token service: the URL of a JWK set, a JWK set, or a key. */
  keys: Keys;
  /** @default not looked at: the audience says which domain it is */
  issuer?: string;
  /** The longest time from `iat` to `exp`: whoever gets hold of a Txn-Token can use it until it expires. @default "1h" */
  maxLifetime?: Duration;
  /** How long ago it may have been issued. @default as long as it has not expired */
  maxTokenAge?: Duration;
  /** By how much clocks may differ. @default "5s" */
  clockTolerance?: Duration;
}

/**
 * A guard for services inside a trust domain: it verifies the request's `Txn-Token`, binds who the transaction is for, and has the token sent on, byte
 * for byte, to the origins that a client allows (draft-ietf-oauth-transaction-tokens). A request without one is answered 401.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function txnToken(options: TxnTokenOptions): Guard {
  const verify = txnTokenVerifier(options, "make a guard");
  return async function txnToken({ ctx, headers }) {
    const token = single(headers, "txn-token");
    if (token === undefined) throw new Unauthenticated("there is no Txn-Token");
    return bindTxnToken(ctx, token, await verify(token, ctx));
  };
}

/** Says who a transaction is for, by a token that holds. */
export function txnTokenVerifier(
  options: TxnTokenOptions,
  action: string,
): (token: string, ctx: Context) => Promise<Principal> {
  const { trustDomain, maxLifetime = "1h", ...rules } = options;
  if (typeof trustDomain !== "string" || trustDomain === "") {
    throw new TypeError(`Cannot ${action}: 'trustDomain' must be a string; received ${describeValue(trustDomain)}`);
  }
  const longest = milliseconds(maxLifetime, action, "maxLifetime");
  const verify = tokenVerifier(
    {
      ...rules,
      audience: trustDomain,
      typ: "txntoken+jwt",
      requiredClaims: ["iat", "exp", "txn", "sub", "scope", "req_wl"],
      // With a limit on the age, `iat` must not be in the future. This limit is never reached before `exp`.
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

/** What a Txn-Token must say besides what any token must (draft-ietf-oauth-transaction-tokens, "JWT Body Claims"). */
function checkClaims({ claims: { aud, scope, txn, req_wl: requestedBy, iat, exp } }: Verified, longest: number): void {
  if (Array.isArray(aud) && aud.length !== 1) throw invalidToken("'aud' is more than one trust domain");
  if (typeof scope !== "string") throw invalidToken("'scope' is no string");
  if (txn === "" || requestedBy === "") throw invalidToken("'txn' or 'req_wl' is empty");
  if ((exp! - iat!) * 1000 > longest) throw invalidToken("it lives longer than 'maxLifetime'");
}

/** A context whose calls take the token along, for a principal that it proves. */
export function bindTxnToken(ctx: Context, token: string, principal: Principal): Context {
  return carryToken(withPrincipal(ctx, principal, token), token, principal.expiresAt!);
}

/** Who a transaction is for, by the claims of its token. */
function principalOf({ claims, expiresAt }: Verified): Principal {
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
