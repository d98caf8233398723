import { AsyncLocalStorage } from "node:async_hooks";

import { context, type Context, type ContextManager, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { emitWarning, nodeModule, registeredApi } from "@throughline/context/internal";

/**
 * Sets up a context manager if spans are recorded and none is set up. Without one, the middleware could not find the
 * span that an instrumentation makes for a request, and would make a second one. Does nothing before an SDK is set up,
 * because an SDK usually brings its own.
 */
export function ensureContextManager(): void {
  const registered = registeredApi();
  if (registered.trace === undefined || registered.context !== undefined) return;
  if (trace.getTracerProvider() !== registered.trace) return;
  context.setGlobalContextManager(new StorageContextManager());
}

/**
 * Carries contexts and binds functions. Listeners of a bound emitter run in the context of the emit call, as without
 * it.
 */
class StorageContextManager implements ContextManager {
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

let hasWarned = false;

/**
 * Warns once in a process if an SDK was set up with another copy of the OpenTelemetry API that this one cannot see: the
 * spans of the two would belong to two traces. Some products, such as Sentry, bring a copy.
 */
export function warnOfOtherApi(): void {
  if (hasWarned) return;
  const registered = registeredApi();
  if (registered.trace === undefined || trace.getTracerProvider() === registered.trace) return;
  hasWarned = true;
  const { version } = registered;
  emitWarning(
    `Cannot see the spans of this process: OpenTelemetry was set up with @opentelemetry/api ${version}, but ` +
      `@throughline/http has loaded ${ownVersion() ?? "a newer one"}, which sees only its own version and newer ` +
      `ones. Each makes a separate trace of a request. Install one version for both; with npm, set ` +
      `"overrides": { "@opentelemetry/api": "${version}" } in package.json.`,
    { type: "ThroughlineWarning", code: "THROUGHLINE_OTHER_API" },
  );
}

function ownVersion(): string | undefined {
  try {
    const file = nodeModule("node:module")!.findPackageJSON("@opentelemetry/api", import.meta.url)!;
    return (JSON.parse(nodeModule("node:fs")!.readFileSync(file, "utf8")) as { version: string }).version;
  } catch {
    // Not available in other runtimes and in bundles.
    return undefined;
  }
}
