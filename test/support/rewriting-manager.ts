import type { Context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";

const [ADDED, ...DELETED] = ["scopes", "trace state", "fork", "isolation"].map((name) => Symbol(name));

/**
 * A context manager that derives a new context from each one it activates, as Sentry's does: it sets one value and
 * deletes three.
 */
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
