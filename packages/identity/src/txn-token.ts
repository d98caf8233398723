import { type Context, createKey, type Duration, refuseUnknown, withValue } from "@throughline/context";
import { declareIdentity, type Guard, single, Unauthenticated } from "@throughline/http";
import type { JWTPayload } from "jose";

import { dateOf, scopesOf } from "./jwt-verifier.ts";
import type { KeyOptions, Keys } from "./keys.ts";
import { type Principal, withPrincipal } from "./principal.ts";
import { tokenVerifier } from "./verify-token.ts";

/** A token that is sent on as it was received, while it holds. */
interface Carried {
  readonly token: string;
  readonly expiresAt: Date;
}

const txnTokenKey = createKey<Carried>("Txn-Token");

/** The header is taken away from each request, and is only seen by whoever verifies it. */
declareIdentity(txnTokenKey, {
  name: "txn-token",
  maxBytes: 8192,
  codec: {
    encode: ({ token, expiresAt }) => (expiresAt.getTime() > Date.now() ? token : undefined),
    decode: () => undefined,
  },
});

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
  const {
    trustDomain,
    algorithms,
    keys,
    issuer,
    maxTokenAge,
    clockTolerance,
    fetch,
    keysMaxAge,
    keysCooldown,
    ...others
  } = options;
  refuseUnknown(others, action);
  const verify = tokenVerifier(
    {
      keys,
      algorithms,
      issuer,
      maxTokenAge,
      clockTolerance,
      fetch,
      keysMaxAge,
      keysCooldown,
      audience: trustDomain,
      typ: "txntoken+jwt",
      requiredClaims: ["iat", "exp", "txn", "sub", "scope", "req_wl"],
    },
    action,
  );
  return async (token, ctx) => principalOf(await verify(token, ctx));
}

/** A context whose calls take the token along, for a principal that it proves. */
export function bindTxnToken(ctx: Context, token: string, principal: Principal): Context {
  return withValue(withPrincipal(ctx, principal, token), txnTokenKey, { token, expiresAt: principal.expiresAt! });
}

/** Who a transaction is for, by the claims of its token. */
function principalOf(claims: JWTPayload): Principal {
  const { sub, iss, exp, scope, txn, req_wl: requestedBy, tctx: details, rctx: origin } = claims;
  return {
    subject: sub!,
    scopes: scopesOf(scope),
    issuer: iss,
    expiresAt: dateOf(exp),
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
