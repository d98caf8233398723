import { type Context, createKey, current, withValue } from "@throughline/context";

import { withoutTxnToken } from "./txn-token-propagation.ts";

/**
 * A party that acts on behalf of the subject. A nested `actor` is the previous one of a delegation chain (RFC 8693,
 * 4.1).
 */
export interface Actor {
  readonly subject: string;
  readonly actor?: Actor | undefined;
}

/** One transaction, from the edge of the trust domain to the last service (draft-ietf-oauth-transaction-tokens). */
export interface Transaction {
  /** The claim `txn`. */
  readonly id: string;
  /** The workload that requested the token: the claim `req_wl`. */
  readonly requestedBy: string;
  /** The claim `tctx`, which stays the same on all hops. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** The claim `rctx`: where the request came from. It may contain personal data. */
  readonly origin?: Readonly<Record<string, unknown>> | undefined;
}

/** The verified subject of a request. */
export interface Principal {
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly tenant?: string | undefined;
  readonly issuer?: string | undefined;
  /** The party that acts on behalf of the subject, if any. */
  readonly actor?: Actor | undefined;
  /** When the subject authenticated. */
  readonly authTime?: Date | undefined;
  /** `principal()` returns `undefined` from then on. For a token it is `exp` plus the accepted clock difference. */
  readonly expiresAt?: Date | undefined;
  readonly transaction?: Transaction | undefined;
}

const principalKey = createKey<Principal>("principal");

/** Tokens are not properties of principals, so that logs, JSON and `inspect` cannot show them. */
const tokens = new WeakMap<Principal, string>();

/** Expiry in milliseconds since the epoch. The Date of a principal is mutable even when it is frozen. */
const expiries = new WeakMap<Principal, number>();

/**
 * Returns the principal of the request; `undefined` if none was verified, or if it has expired, as may happen in
 * detached work.
 */
export function principal(ctx: Context = current()): Principal | undefined {
  const bound = ctx.value(principalKey);
  return bound === undefined || (expiries.get(bound) ?? Infinity) <= Date.now() ? undefined : bound;
}

/**
 * Returns a context with this principal, which the caller has verified. The principal is copied and frozen, and never
 * leaves the process. A Txn-Token of another principal is not sent to other services any more.
 *
 * @param token the token that proved the principal, for {@link rawToken}
 * @throws TypeError if the principal is not valid
 */
export function withPrincipal(ctx: Context, principal: Principal, token?: string): Context {
  if (typeof principal?.subject !== "string" || principal.subject === "" || !Array.isArray(principal.scopes)) {
    throw new TypeError("Cannot bind a principal: it must have a non-empty 'subject' and a list of 'scopes'");
  }
  if (principal.expiresAt !== undefined && Number.isNaN(principal.expiresAt.getTime())) {
    throw new TypeError("Cannot bind a principal: 'expiresAt' must be a valid Date");
  }
  const frozen = deepFreeze(structuredClone({ ...principal }));
  if (frozen.expiresAt !== undefined) expiries.set(frozen, frozen.expiresAt.getTime());
  const kept = token ?? tokens.get(principal);
  if (kept !== undefined) tokens.set(frozen, kept);
  return withValue(withoutTxnToken(ctx), principalKey, frozen);
}

/**
 * Returns the token that proved the principal, for a token exchange. Do not log it, and do not send it to other
 * services.
 */
export function rawToken(principal: Principal): string | undefined {
  return tokens.get(principal);
}

/** Keeps the token that proved a principal, for {@link rawToken}. */
export function rememberToken(principal: Principal, token: string): Principal {
  tokens.set(principal, token);
  return principal;
}

function deepFreeze<T extends object>(value: T): T {
  for (const each of Object.values(value)) if (typeof each === "object" && each !== null) deepFreeze(each as object);
  return Object.freeze(value);
}
