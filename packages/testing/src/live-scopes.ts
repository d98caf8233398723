import { Context } from "@throughline/context";
import { describeScope, Scope } from "@throughline/context/internal";
import { OutboundCall, type OutgoingRequest } from "@throughline/http/adapter";

import { callerOutside } from "./call-site.ts";

// Loading this file wraps methods of scopes, contexts and calls, so that their packages contain no code for it.

/** The members of a Context that its declaration hides. */
interface Derivable {
  readonly scope: Scope;
  derive(scope: Scope, key: symbol | undefined, value: unknown): Context;
}

/** The first context of a scope, and the code that derived it. */
interface Origin {
  readonly ctx: Context;
  readonly site: string;
}

/** The scopes that something listens to. */
const live = new Set<Scope>();
const origins = new WeakMap<Scope, Origin>();

// Methods are called with their own `this`, by `call` and `apply`.
/* oxlint-disable typescript/unbound-method */

const { arm, disarm } = Scope.prototype;
Scope.prototype.arm = function (this: Scope) {
  live.add(this);
  return arm.call(this);
};
Scope.prototype.disarm = function (this: Scope) {
  live.delete(this);
  disarm.call(this);
};

const derivable = Context.prototype as unknown as Derivable;
const { derive } = derivable;
derivable.derive = function (this: Derivable, scope, key, value) {
  const ctx = derive.call(this, scope, key, value);
  if (scope !== this.scope && !origins.has(scope)) origins.set(scope, { ctx, site: callerOutside() });
  return ctx;
};

/** A request that is being sent, or whose response has not ended. */
export interface LiveCall {
  readonly method: string;
  readonly url: string;
  readonly ctx: Context;
}

const calls = new Map<OutboundCall, LiveCall>();

type Begin = typeof OutboundCall.begin;
const begin = OutboundCall.begin.bind(OutboundCall) as Begin;
OutboundCall.begin = function (ctx: Context, request: OutgoingRequest, ...rest): OutboundCall {
  const call = begin(ctx, request, ...rest);
  const { method, url, rpc } = request;
  calls.set(call, { method, url: rpc?.method ?? (url === undefined ? "" : url.origin + url.pathname), ctx });
  return call;
} as Begin;

const { end } = OutboundCall.prototype;
OutboundCall.prototype.end = function (this: OutboundCall, ...args) {
  calls.delete(this);
  end.apply(this, args);
};

/* oxlint-enable typescript/unbound-method */

/** Scopes of contexts that surround a test. Their own signal is no leak while the test runs. */
const surrounding = new WeakSet<Scope>();

/** Marks a context that the kit ends itself. */
export function markSurrounding(ctx: Context): Context {
  surrounding.add((ctx as unknown as Derivable).scope);
  return ctx;
}

/** The number of callbacks and signals of a scope; scopes below do not count. */
function listenersOf(scope: Scope): number {
  const { listeners } = scope;
  let count = listeners?.controller === undefined || surrounding.has(scope) ? 0 : 1;
  for (let each = listeners?.first; each !== undefined; each = each.next) if (each.scope === undefined) count += 1;
  return count;
}

/** The scopes that a signal or a callback of their own keeps linked, with the number of these. */
export function liveScopes(): { scope: Scope; listeners: number }[] {
  return [...live].map((scope) => ({ scope, listeners: listenersOf(scope) })).filter(({ listeners }) => listeners > 0);
}

export function liveCalls(): LiveCall[] {
  return [...calls.values()];
}

/** How a scope was derived, and where. */
export function originOf(scope: Scope): { derivation: string; site: string } {
  const origin = origins.get(scope);
  return origin === undefined
    ? { derivation: describeScope(scope), site: "" }
    : { derivation: String(origin.ctx), site: origin.site };
}
