import { type Context, run, withCancel } from "@throughline/context";
import { callable, parentOf, refuseUnknown, wholeNumber } from "@throughline/context/internal";

import { Semaphore } from "./semaphore.ts";

export interface GroupOptions {
  /** The number of functions that run at a time. Others wait in order. @default Infinity */
  limit?: number;
}

/**
 * A group of concurrent functions (Go: `x/sync/errgroup`). The first error cancels the other functions, and `wait`
 * rejects with it. The group's context ends with `wait`: consume resources such as a response body inside the
 * functions. With a limit, a function must not wait for another that it has started itself: the two could deadlock.
 */
export interface Group extends AsyncDisposable {
  /** The context of the functions. It ends with the first error, which becomes its cause, or when `wait` completes. */
  readonly ctx: Context;
  /**
   * Runs a function, immediately or when the limit permits, with the group's context as `current()`. If that context
   * ends first, the function is not called.
   *
   * @returns the function's result. The promise need not be awaited: `wait` rejects with its error
   * @throws TypeError after `wait` has succeeded: nothing would handle the error of a later function
   */
  go<T>(fn: (ctx: Context) => T | PromiseLike<T>): Promise<T>;
  /** Waits for all functions, then rejects with the first error, if any. A second call has the same outcome. */
  wait(): Promise<void>;
}

/**
 * Creates a group. `await using work = group(ctx)` cancels the functions that still run at the end of the block and
 * waits for them. Only `wait` reports errors.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function group(ctx: Context, { limit = Infinity, ...others }: GroupOptions = {}): Group {
  parentOf(ctx, "make a group");
  refuseUnknown(others, "make a group");
  const slots = new Semaphore(wholeNumber("limit", limit, 1, "make a group"));
  const [scope, cancel] = withCancel(ctx);
  const running = new Set<Promise<unknown>>();
  let isOver = false;
  let failed: { readonly reason: unknown } | undefined;

  async function start<T>(fn: (ctx: Context) => T | PromiseLike<T>): Promise<T> {
    try {
      using _ = slots.tryAcquire() ?? (await slots.acquire(scope));
      scope.throwIfAborted();
      return await run(scope, async () => fn(scope));
    } catch (reason) {
      failed ??= { reason };
      cancel(reason);
      throw reason;
    }
  }

  async function settle(): Promise<void> {
    while (running.size > 0) await Promise.allSettled(running);
  }

  return {
    ctx: scope,
    go(fn) {
      callable("fn", fn, "run in a group");
      if (isOver && failed === undefined)
        throw new TypeError("Cannot run in a group: its wait() has completed; create another group");
      const result = start(fn);
      running.add(result);
      // `wait` reports the error, so a promise that is not awaited is not an unhandled rejection.
      result.catch(() => {}).finally(() => running.delete(result));
      return result;
    },
    async wait() {
      await settle();
      isOver = true;
      cancel();
      if (failed !== undefined) throw failed.reason;
    },
    async [Symbol.asyncDispose]() {
      cancel();
      await settle();
      isOver = true;
    },
  };
}
