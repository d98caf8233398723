import { type Context, createKey, current, withValue } from "@throughline/context";

import { withoutToken } from "./carried-token.ts";

/** Who acts for somebody else, and for whom that one acts in turn (RFC 8693, 4.1). */
export interface Actor {
  readonly subject: string;
  readonly actor?: Actor | undefined;
}

/** What one transaction is, from the edge to its last service (draft-ietf-oauth-transaction-tokens). */
export interface Transaction {
  readonly id: string;
  /** The workload that asked for the token. */
  readonly requestedBy: string;
  /** What does not change on the way: `tctx`. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** Where it came from: `rctx`. May be personal. */
  readonly origin?: Readonly<Record<string, unknown>> | undefined;
}

/** Who a request is for, once that has been verified. */
export interface Principal {
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly tenant?: string | undefined;
  readonly issuer?: string | undefined;
  /** Who acts for the subject, if not the subject itself. */
  readonly actor?: Actor | undefined;
  /** When the subject has proved who it is. */
  readonly authTime?: Date | undefined;
  /** From then on it is nobody's request: `principal()` gives `undefined`. By how much clocks may differ is added to what a token says. */
  readonly expiresAt?: Date | undefined;
  readonly transaction?: Transaction | undefined;
}

const principalKey = createKey<Principal>("principal");

/** Kept beside the principals, so that no log, no JSON and no inspection can show them. */
const tokens = new WeakMap<Principal, string>();

/** When they expire, in milliseconds since the epoch: a Date can be changed by whoever is given it, be it frozen. */
const ends = new WeakMap<Principal, number>();

/** Who the request is for; `undefined` if nobody was verified, or what was verified has expired, as it may have in work that goes on. */
export function principal(ctx: Context = current()): Principal | undefined {
  const bound = ctx.value(principalKey);
  return bound === undefined || (ends.get(bound) ?? Infinity) <= Date.now() ? undefined : bound;
}

/**
 * A context for a request of this principal, who was verified by the caller of this function. It is copied and frozen, and stays in this process; a
 * Txn-Token that has proved another is not sent on any more.
 *
 * @param token what has proved it, for {@link rawToken}
 * @throws TypeError if it is none
 */
export function withPrincipal(ctx: Context, principal: Principal, token?: string): Context {
  if (typeof principal?.subject !== "string" || principal.subject === "" || !Array.isArray(principal.scopes)) {
    throw new TypeError("Cannot bind a principal: it must have a 'subject' that is not empty and a list of 'scopes'");
  }
  if (principal.expiresAt !== undefined && Number.isNaN(principal.expiresAt.getTime())) {
    throw new TypeError("Cannot bind a principal: 'expiresAt' must be a valid Date");
  }
  const frozen = deepFreeze(structuredClone({ ...principal }));
  if (frozen.expiresAt !== undefined) ends.set(frozen, frozen.expiresAt.getTime());
  const kept = token ?? tokens.get(principal);
  if (kept !== undefined) tokens.set(frozen, kept);
  return withValue(withoutToken(ctx), principalKey, frozen);
}

/** The token that has proved who a principal is, to be exchanged for another. Not to be logged, nor sent on as it is. */
export function rawToken(principal: Principal): string | undefined {
  return tokens.get(principal);
}

/** Has a principal remember what has proved it. */
export function provenBy(principal: Principal, token: string): Principal {
  tokens.set(principal, token);
  return principal;
}

function deepFreeze<T extends object>(value: T): T {
  for (const each of Object.values(value)) if (typeof each === "object" && each !== null) deepFreeze(each as object);
  return Object.freeze(value);
}
