import { type Context, run, withSignal } from "@throughline/context";
import { callable, describeValue, parentOf } from "@throughline/context/internal";

/** A policy of `cockatiel`, such as a circuit breaker, a bulkhead, or several combined by `wrap`. */
export interface ExecutionPolicy {
  execute<T>(fn: (context: { readonly signal: AbortSignal }) => PromiseLike<T>, signal?: AbortSignal): Promise<T>;
}

/**
 * Executes `fn` with a policy of `cockatiel`. The policy receives the context's signal. `fn` receives a context that
 * ends when the context or the policy's signal does, and that is `current()`.
 *
 * If the context has ended, this rejects with the context's error. The policy counts such an execution as a success: a
 * caller that disconnects, or whose deadline is too short, does not indicate a failure of the service and must not open
 * its circuit breaker. To count slow calls as failures, use a timeout policy, or `withTimeout` inside `fn`.
 *
 * For retries and timeouts prefer this package's functions, which use the deadline.
 *
 * @throws TypeError if an argument is invalid
 */
export async function withPolicy<T>(
  ctx: Context,
  policy: ExecutionPolicy,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  parentOf(ctx, "execute with a policy");
  callable("fn", fn, "execute with a policy");
  if (typeof policy?.execute !== "function") {
    throw new TypeError(
      `Cannot execute with a policy: 'policy' must be a policy of cockatiel; received ${describeValue(policy)}`,
    );
  }
  ctx.throwIfAborted();
  try {
    const result = await policy.execute<T | typeof ENDED>(async ({ signal }) => {
      const [scope, cancel] = withSignal(ctx, signal);
      using _ = cancel;
      try {
        return await run(scope, async () => fn(scope));
      } catch (error) {
        if (ctx.err() !== undefined) return ENDED;
        throw error;
      }
    }, ctx.signal);
    if (result !== ENDED) return result;
  } catch (error) {
    ctx.throwIfAborted();
    throw error;
  }
  throw ctx.err()!;
}

/** The result of an execution whose context has ended. */
const ENDED = Symbol("ended");
