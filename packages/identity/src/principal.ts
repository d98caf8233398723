import { type Context, createKey, current, withValue } from "@throughline/context";

/** Who a request is for, once that has been verified. */
export interface Principal {
  readonly subject: string;
  readonly tenant?: string | undefined;
  readonly scopes: readonly string[];
}

const principalKey = createKey<Principal>("principal");

/** Who the request is for; `undefined` if nobody was verified. */
export function principal(ctx: Context = current()): Principal | undefined {
  return ctx.value(principalKey);
}

/** A context for a request of this principal, who was verified by the caller of this function. It stays in this process. */
export function withPrincipal(ctx: Context, principal: Principal): Context {
  if (typeof principal?.subject !== "string" || principal.subject === "" || !Array.isArray(principal.scopes)) {
    throw new TypeError("Cannot bind a principal: it must have a 'subject' that is not empty and a list of 'scopes'");
  }
  return withValue(ctx, principalKey, Object.freeze({ ...principal, scopes: Object.freeze([...principal.scopes]) }));
}
