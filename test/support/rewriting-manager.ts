import type { Context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";

const [ADDED, ...DELETED] = ["scopes", "trace state", "fork", "isolation"].map((name) => Symbol(name));

/** A context manager that, as Sentry's does, derives anew from each context that it is given: one value set, three deleted. */
export class Rewriting extends AsyncLocalStorageContextManager {
  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    const rewritten = DELETED.reduce((ctx, key) => ctx.deleteValue(key), context.setValue(ADDED!, {}));
    return super.with(rewritten, fn, thisArg, ...args);
  }
}
