import { callable, type Context, describe, parentOf, run, withSignal } from "@throughline/context";

/** A policy of `cockatiel`, or what is made of several by its `wrap`: a circuit breaker, a bulkhead. */
export interface ExecutionPolicy {
  execute<T>(fn: (context: { readonly signal: AbortSignal }) => PromiseLike<T>, signal?: AbortSignal): Promise<T>;
}

/**
 * Runs `fn` under a policy of `cockatiel`. It is given the context's signal, and `fn` a context that ends with the policy's as well.
 * Where the context has ended, its own error is what this rejects with, whatever the policy has made of it.
 *
 * For retries and timeouts use this package's own, which know of the deadline.
 */
export async function withPolicy<T>(
  ctx: Context,
  policy: ExecutionPolicy,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  parentOf(ctx, "run under a policy");
  callable("fn", fn, "run under a policy");
  if (typeof policy?.execute !== "function") {
    throw new TypeError(
      `Cannot run under a policy: 'policy' must be one of cockatiel's: current value is ${describe(policy)}`,
    );
  }
  ctx.throwIfDone();
  try {
    return await policy.execute(async ({ signal }) => {
      const [scope, cancel] = withSignal(ctx, signal);
      using _ = cancel;
      return await run(scope, async () => fn(scope));
    }, ctx.signal);
  } catch (error) {
    ctx.throwIfDone();
    throw error;
  }
}
