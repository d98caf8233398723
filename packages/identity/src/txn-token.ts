import { type Context, describe, type Duration } from "@throughline/context";
import { type Guard, single, Unauthenticated } from "@throughline/http";

import { carryToken } from "./carried-token.ts";
import { scopesOf } from "./claims.ts";
import type { KeyOptions, Keys } from "./keys.ts";
import { type Principal, withPrincipal } from "./principal.ts";
import { tokenVerifier, type Verified } from "./verify-token.ts";

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
  /** @default as long as it has not expired */
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
  const { trustDomain, ...rules } = options;
  if (typeof trustDomain !== "string" || trustDomain === "") {
    throw new TypeError(`Cannot ${action}: 'trustDomain' must be a string: current value is ${describe(trustDomain)}`);
  }
  const requiredClaims = ["iat", "exp", "txn", "sub", "scope", "req_wl"];
  const verify = tokenVerifier({ ...rules, audience: trustDomain, typ: "txntoken+jwt", requiredClaims }, action);
  return async (token, ctx) => principalOf(await verify(token, ctx));
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
