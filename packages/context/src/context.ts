import { type Context as OtelContext, ROOT_CONTEXT } from "@opentelemetry/api";

import { brand, hasBrand } from "./brand.ts";
import { now } from "./clock.ts";
import { describeDerivation } from "./describe-derivation.ts";
import { describeValue, typeName } from "./describe-value.ts";
import type { ContextError } from "./errors.ts";
import type { Key } from "./key.ts";
import { ROOT, type Scope } from "./scope.ts";
import { Base, find, indexValues } from "./value-list.ts";

/**
 * Installed copies of this package whose contexts have the same fields share contexts. Change the number with the
 * fields.
 */
const CONTEXT = Symbol.for("@throughline/context/Context.1");

/** A list of more nodes is replaced by an index. Usual requests stay below it. */
const MAX_NODES = 64;

/** The indexed form of a context with a long list, shared by all contexts that are derived from it. */
const indexed = new WeakMap<Context, Context>();

/**
 * The deadline, cancellation, values and trace of one request.
 *
 * A Context is immutable. The functions that derive from it (`withCancel`, `withTimeout`, `withValue`, ...) return a
 * new one. Only the caller that derives a context receives the function that cancels it. A Context is also an
 * OpenTelemetry Context: contexts that OpenTelemetry derives from it, as by `trace.setSpan(ctx, span)`, keep its
 * deadline and cancellation.
 */
export class Context implements OtelContext {
  /** @internal The node that this one was derived from. */
  readonly parent: Context | undefined;
  /** @internal The base of the list of nodes. */
  readonly base: Base;
  /** @internal Shared by all nodes down to the next one that can be canceled on its own. */
  readonly scope: Scope;
  /** @internal The key that this node binds; `undefined` if it only changes the scope. */
  readonly key: symbol | undefined;
  /** @internal */
  readonly boundValue: unknown;
  /** @internal The number of nodes from here to the base. */
  readonly length: number;

  /** Not public: derive a context with `withValue`, `withCancel` and the like. */
  protected constructor(
    parent: Context | undefined,
    base: Base,
    scope: Scope,
    key: symbol | undefined,
    boundValue: unknown,
    length: number,
  ) {
    this.parent = parent;
    this.base = base;
    this.scope = scope;
    this.key = key;
    this.boundValue = boundValue;
    this.length = length;
  }

  /** @internal A context whose list has no nodes. */
  static on(base: Base, scope: Scope): Context {
    return new Context(undefined, base, scope, undefined, undefined, 0);
  }

  /** @internal Adds a node. Without a key the node only holds the scope. */
  derive(scope: Scope, key: symbol | undefined, value: unknown): Context {
    // Wait for as many nodes as the index has keys, so that the cost of building an index is proportional to the nodes
    // that it replaces.
    const isLong = this.length >= MAX_NODES && this.length >= (this.base.index?.size ?? 0);
    const parent = isLong ? this.#indexed() : this;
    return new Context(parent, parent.base, scope, key, value, parent.length + 1);
  }

  /** This context with all its values in an index, whose size is the number of keys. */
  #indexed(): Context {
    let known = indexed.get(this);
    if (known === undefined) {
      known = Context.on(indexValues(this), this.scope);
      indexed.set(this, known);
    }
    return known;
  }

  /**
   * Returns the value that the nearest ancestor binds to the key, or `undefined`. Values remain readable after the
   * context has ended.
   */
  value<T>(key: Key<T>): T | undefined {
    return find(this, key) as T | undefined;
  }

  /**
   * Returns why the context ended, or `undefined` if it has not ended (Go: `ctx.Err()`). Later calls, and all contexts
   * that ended with it, return the same object.
   */
  err(): ContextError | undefined {
    return this.scope.poll()?.error;
  }

  /**
   * Returns the cause that was given to `cancel`, or else the error itself; `undefined` if the context has not ended
   * (Go: `context.Cause`).
   */
  cause(): unknown {
    return this.scope.poll()?.cause;
  }

  /** @throws ContextError if this context has ended: the object that `err()` returns */
  throwIfAborted(): void {
    const ended = this.scope.poll();
    if (ended !== undefined) throw ended.error;
  }

  /**
   * Returns the milliseconds until the deadline, on the monotonic clock: 0 after it has passed, `Infinity` without a
   * deadline. After a cancel it still counts down.
   */
  remaining(): number {
    const deadline = this.scope.deadline;
    return deadline === undefined ? Infinity : Math.max(0, deadline.at - now());
  }

  /**
   * The deadline on the wall clock, for people and logs; `undefined` without one. It stays after the end. To measure,
   * use `remaining()`.
   */
  get deadline(): Date | undefined {
    const deadline = this.scope.deadline;
    return deadline === undefined ? undefined : new Date(deadline.epoch);
  }

  /**
   * Aborts when this context ends, with `err()` as its reason. It is created at the first use and then stays the same.
   * `background`, which never ends, returns a new one each time. A context whose signal was used stays linked to its
   * parent until it ends.
   *
   * A listener runs in the AsyncLocalStorage context of the code that cancels: call `current()` before you add it, or
   * use `afterFunc`.
   */
  get signal(): AbortSignal {
    return this.scope.signal;
  }

  /** Returns the value of any symbol (OpenTelemetry's interface). */
  getValue(key: symbol): unknown {
    return find(this, key);
  }

  /** Derives a context with a value (OpenTelemetry's interface). It shares the deadline and the cancellation. */
  setValue(key: symbol, value: unknown): Context {
    return this.derive(this.scope, key, value);
  }

  /**
   * Derives a context without the key (OpenTelemetry's interface). Returns this context if it does not have the key.
   */
  deleteValue(key: symbol): Context {
    return find(this, key) === undefined ? this : this.derive(this.scope, key, undefined);
  }

  /**
   * Lists the calls that derived this context: `background.withTimeout(2s).withValue(tenant: Tenant)`. Shows the types
   * of values, not their content.
   */
  toString(): string {
    return describeDerivation(this);
  }

  /** The same as `toString`, so that loggers which serialize a context do not print its values. */
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

/** Whether the value is a Context, of this or another installed copy of this package. */
export function isContext(value: unknown): value is Context {
  return hasBrand(value, CONTEXT);
}

/** The root of all contexts: it never ends and has no deadline and no values (Go: `context.Background`). */
export const background: Context = Context.on(new Base("background"), ROOT);

/** The same as `background`, for code where it is not yet clear which context to use (Go: `context.TODO`). */
export const todo: Context = Context.on(new Base("todo"), ROOT);

/** The Context of each foreign OpenTelemetry context, so that adopting one twice returns the same object. */
const adopted = new WeakMap<OtelContext, Context>();

/**
 * Returns an OpenTelemetry context as a Context: the context itself if it is one, or else a Context that has its values
 * and never ends.
 */
export function adopt(ctx: OtelContext): Context {
  if (isContext(ctx)) return ctx;
  if (ctx === ROOT_CONTEXT) return background;
  let known = adopted.get(ctx);
  if (known === undefined) {
    known = Context.on(new Base(`adopted(${typeName(ctx)})`, ctx), ROOT);
    adopted.set(ctx, known);
  }
  return known;
}

/**
 * Checks a context that was given as an argument, and adopts it if it is a foreign OpenTelemetry context.
 *
 * @throws TypeError if it is neither a Context nor an OpenTelemetry context (Go panics on a nil parent)
 */
export function parentOf(parent: OtelContext, action = "derive a context"): Context {
  if (isContext(parent)) return parent;
  if (typeof (parent as OtelContext | undefined)?.getValue === "function") return adopt(parent);
  const wanted = "it needs a Context as its first argument, such as current() or background";
  throw new TypeError(`Cannot ${action}: ${wanted}; received ${describeValue(parent)}`);
}
