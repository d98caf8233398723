import type { Context as OtelContext } from "@opentelemetry/api";

import { brand, hasBrand } from "./brand.ts";
import { now } from "./clock.ts";
import { describeDerivation } from "./describe-derivation.ts";
import type { ContextError } from "./errors.ts";
import type { Key } from "./key.ts";
import { ROOT, type Scope } from "./scope.ts";
import { Base, find, gather } from "./value-list.ts";

/** Two copies whose contexts have the same fields share them; the number changes when the fields do. */
const CONTEXT = Symbol.for("@throughline/context/Context.1");

/** How long a list may grow before it is gathered into an index: longer than that of any usual request. */
const LONG = 64;

/** What long lists were gathered into, so that many contexts derived from one share it. */
const gathered = new WeakMap<Context, Context>();

/**
 * What one request carries: deadline, cancellation and values, trace among them.
 *
 * It never changes. The functions that derive (`withCancel`, `withTimeout`, `withValue`, ...) give a new one, and the power
 * to end it is a separate value, held by whoever derived. It is an OpenTelemetry Context: whatever OpenTelemetry derives
 * from it (`trace.setSpan(ctx, span)`) keeps the deadline and the cancellation.
 */
export class Context implements OtelContext {
  /** @internal The node this one was derived from. */
  readonly up: Context | undefined;
  /** @internal What is below the last node up. */
  readonly base: Base;
  /** @internal Shared by all nodes down to the next that can be cancelled by itself. */
  readonly scope: Scope;
  /** @internal What this node binds; `undefined` where it only changes the scope. */
  readonly key: symbol | undefined;
  /** @internal */
  readonly bound: unknown;
  /** @internal How many nodes there are up to the base. */
  readonly length: number;

  /** Not for use: derive one from another with `withValue`, `withCancel` and the like. */
  protected constructor(
    up: Context | undefined,
    base: Base,
    scope: Scope,
    key: symbol | undefined,
    bound: unknown,
    length: number,
  ) {
    this.up = up;
    this.base = base;
    this.scope = scope;
    this.key = key;
    this.bound = bound;
    this.length = length;
  }

  /** @internal A context without any node of its own. */
  static on(base: Base, scope: Scope): Context {
    return new Context(undefined, base, scope, undefined, undefined, 0);
  }

  /** @internal One node more. Without a key it only carries the scope. */
  derive(scope: Scope, key: symbol | undefined, value: unknown): Context {
    // As many nodes as the index has keys: then gathering costs no more than what it gathers.
    const isLong = this.length >= LONG && this.length >= (this.base.index?.size ?? 0);
    const up = isLong ? this.#gathered() : this;
    return new Context(up, up.base, scope, key, value, up.length + 1);
  }

  /** This context with all that it binds in an index: as large as it has keys, however many steps led to it. */
  #gathered(): Context {
    let known = gathered.get(this);
    if (known === undefined) {
      known = Context.on(gather(this), this.scope);
      gathered.set(this, known);
    }
    return known;
  }

  /** The value bound to the key nearest to this context, else `undefined`. Goes on working after the end. */
  value<T>(key: Key<T>): T | undefined {
    return find(this, key) as T | undefined;
  }

  /** Why this context ended, or `undefined` while it lives (Go: `ctx.Err()`). The same object ever after, and for all contexts that ended with it. */
  err(): ContextError | undefined {
    return this.scope.poll()?.error;
  }

  /** What the canceller gave as its reason; the error itself if it gave none; `undefined` while the context lives (Go: `context.Cause`). */
  cause(): unknown {
    return this.scope.poll()?.cause;
  }

  /** @throws ContextError the very object that `err()` gives, if this context has ended */
  throwIfAborted(): void {
    const ended = this.scope.poll();
    if (ended !== undefined) throw ended.error;
  }

  /** Milliseconds until the deadline, on the monotonic clock: never below 0, `Infinity` without a deadline. A cancelled context still tells. */
  remaining(): number {
    const deadline = this.scope.deadline;
    return deadline === undefined ? Infinity : Math.max(0, deadline.at - now());
  }

  /** When this context will end at the latest, on the wall clock: for people and logs. It is still told after the end. To measure, use `remaining()`. */
  get deadline(): Date | undefined {
    const deadline = this.scope.deadline;
    return deadline === undefined ? undefined : new Date(deadline.epoch);
  }

  /**
   * Aborts when this context ends, with `err()` as its reason. Made at first use, and the same ever after (for `background`,
   * which never ends, a new one each time). A context whose signal was taken stays linked to its parent until it ends.
   *
   * A listener runs in the AsyncLocalStorage context of whoever cancels: take `current()` outside it, or use `afterFunc`.
   */
  get signal(): AbortSignal {
    return this.scope.signal;
  }

  /** OpenTelemetry's: a value by any symbol. */
  getValue(key: symbol): unknown {
    return find(this, key);
  }

  /** OpenTelemetry's: a derived context. Shares deadline and cancellation. */
  setValue(key: symbol, value: unknown): Context {
    return this.derive(this.scope, key, value);
  }

  /** OpenTelemetry's: a derived context without the key; this one, if it has none. */
  deleteValue(key: symbol): Context {
    return find(this, key) === undefined ? this : this.derive(this.scope, key, undefined);
  }

  /** How this context came about: `background.withTimeout(2s).withValue(tenant: Tenant)`. Type names only, never what a value holds. */
  toString(): string {
    return describeDerivation(this);
  }

  /** As `toString`: values do not get into a log that serialises what it is given. */
  toJSON(): string {
    return describeDerivation(this);
  }
}

// Not in the class body: a declaration file could not name the symbol.
Object.defineProperty(Context.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: Context): string {
    return `Context <${describeDerivation(this)}>`;
  },
});
brand(Context, CONTEXT);

/** Whether this is a Context of this package, be it of another installed copy. */
export function isContext(value: unknown): value is Context {
  return hasBrand(value, CONTEXT);
}

/** Never ends, has no deadline and no values: where a program begins (Go: `context.Background`). */
export const background: Context = Context.on(new Base("background"), ROOT);

/** As `background`, for a place where it is not yet clear which context to use (Go: `context.TODO`). */
export const todo: Context = Context.on(new Base("todo"), ROOT);
