import { type Context, type Duration, run, withoutCancel, withTimeout } from "@throughline/context";
import { callable, milliseconds, parentOf, refuseUnknown } from "@throughline/context/internal";

import type { Consumers } from "./consumers.ts";

export interface DetachOptions {
  /** How long the work may take. It has no other deadline. */
  within: Duration;
  /** A drain waits for the work. @default none */
  consumers?: Consumers;
  /** Called with the error of work that fails. @default a warning of the process */
  onError?: (error: unknown) => void;
}

const ACTION = "detach work";

/**
 * Starts work that outlives its request: it has the values and the trace of `ctx`, without its deadline and
 * cancellation, and a limit of its own. An error does not become an unhandled rejection. A drain of the consumers
 * cancels it at last.
 *
 * @throws TypeError, RangeError if an argument is wrong
 */
export function detach(ctx: Context, options: DetachOptions, work: (ctx: Context) => Promise<unknown> | void): void {
  const { within, consumers, onError = warn, ...others } = options;
  refuseUnknown(others, ACTION);
  callable("work", work, ACTION);
  callable("onError", onError, ACTION);
  const ms = milliseconds(within, ACTION, "within");
  const [detached, cancel] = withTimeout(withoutCancel(parentOf(ctx, ACTION)), ms, { source: "detach" });
  const done = consumers?.begin();
  const stop = consumers === undefined ? undefined : linkEnd(consumers.ctx, cancel);
  run(detached, async () => work(detached))
    .catch((error: unknown) => onError(error))
    .finally(() => {
      stop?.();
      done?.();
      cancel();
    })
    .catch(warn);
}

/** Cancels with the cause of another context when that ends. */
function linkEnd(ctx: Context, cancel: (cause: unknown) => void): () => void {
  const { signal } = ctx;
  const ended = (): void => cancel(ctx.cause());
  if (signal.aborted) ended();
  signal.addEventListener("abort", ended, { once: true });
  return () => signal.removeEventListener("abort", ended);
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)), { code: "THROUGHLINE_DETACHED" });
}
