import { AsyncLocalStorage } from "node:async_hooks";

import { type Context, type ContextManager, ROOT_CONTEXT } from "@opentelemetry/api";

/**
 * A context manager for those who record spans and have set up none. It carries contexts and binds functions; listeners of an emitter run in the context
 * of what emits, as ever.
 */
export class StorageContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    ctx: Context,
    fn: F,
    receiver?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(ctx, () => fn.apply(receiver, args));
  }

  bind<T>(ctx: Context, target: T): T {
    if (typeof target !== "function") return target;
    const storage = this.#storage;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return storage.run(ctx, () => Reflect.apply(target, this, args) as unknown);
    };
    return bound as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}
