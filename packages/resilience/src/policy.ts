import { type Context, run, withSignal } from "@throughline/context";
import { callable, describeValue, parentOf } from "@throughline/context/internal";

/** A policy of `cockatiel`, or what is made of several by its `wrap`: a circuit breaker, a bulkhead. */
export interface ExecutionPolicy {
  execute<T>(fn: (context: { readonly signal: AbortSignal }) => PromiseLike<T>, signal?: AbortSignal): Promise<T>;
}

/**
 * Runs `fn` under a policy of `cockatiel`. It is given the context's signal, and `fn` a context that ends with the policy's as well.
 * Where the context has ended, its own error is what this rejects with, whatever the policy has made of it. To the policy such an execution counts as
 * one that went well, never as a failure: a caller that leaves, or that brings too short a deadline, says nothing of the service, and must not open its
 * breaker. A limit that does is the policy's own, or `withTimeout` inside of `fn`.
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
      `Cannot run under a policy: 'policy' must be one of cockatiel's; received ${describeValue(policy)}`,
    );
  }
  ctx.throwIfAborted();
  try {
    const outcome = await policy.execute<T | typeof ENDED>(async ({ signal }) => {
      const [scope, cancel] = withSignal(ctx, signal);
      using _ = cancel;
      try {
        return await run(scope, async () => fn(scope));
      } catch (error) {
        if (ctx.err() !== undefined) return ENDED;
        throw error;
      }
    }, ctx.signal);
    if (outcome !== ENDED) return outcome;
  } catch (error) {
    ctx.throwIfAborted();
    throw error;
  }
  throw ctx.err()!;
}

/** What an execution gives whose caller has gone. */
const ENDED = Symbol("ended");
