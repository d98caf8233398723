import type { Context as OtelContext } from "@opentelemetry/api";

import type { Context } from "./context.ts";
import { describe } from "./describe.ts";
import { parentOf } from "./parent.ts";
import { Scope } from "./scope.ts";

/**
 * Ends the context it came with, and all derived from it, before it returns. The first end counts: a second call, or one
 * after the deadline, does nothing. Whoever derives with a cancel calls it, however the work went: `using _ = cancel`
 * does so at the end of the block, as Go's `defer cancel()`.
 *
 * @param cause why, for `ctx.cause()` and `ctx.err().cause`
 */
export type CancelFunc = ((cause?: unknown) => void) & Disposable;

/** A context that can be cancelled by itself (Go: `WithCancel` and `WithCancelCause`). If the parent has ended, so has it. */
export function withCancel(parent: OtelContext): [Context, CancelFunc] {
  const up = parentOf(parent);
  return cancellable(up, new Scope(up.scope, up.scope.limit));
}

/**
 * A context that ends with its parent or with the signal, whichever is first. The signal's reason becomes the cause; a
 * reason that is itself the error of a context goes on as that same object. While anybody observes the context there is
 * a listener on the signal, one however many contexts hang on it; it is taken away when the last one ends.
 *
 * @throws TypeError if `signal` is not an AbortSignal
 */
export function withSignal(parent: OtelContext, signal: AbortSignal): [Context, CancelFunc] {
  const up = parentOf(parent);
  if (!(signal instanceof AbortSignal)) {
    throw new TypeError(
      `Cannot derive a context: 'signal' must be an AbortSignal: current value is ${describe(signal)}`,
    );
  }
  const scope = new Scope(up.scope, up.scope.limit, signal);
  if (signal.aborted) scope.poll();
  return cancellable(up, scope);
}

/** The pair that every function which derives with a cancel returns. */
export function cancellable(up: Context, scope: Scope): [Context, CancelFunc] {
  const cancel = ((cause?: unknown) => scope.cancel(cause)) as CancelFunc;
  cancel[Symbol.dispose] = dispose;
  return [up.derive(scope, undefined, undefined), cancel];
}

function dispose(this: CancelFunc): void {
  this();
}
