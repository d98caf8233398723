import { type Context, run, withCancel } from "@throughline/context";
import { callable, parentOf, refuseUnknown, wholeNumber } from "@throughline/context/internal";

import { Semaphore } from "./semaphore.ts";

export interface GroupOptions {
  /** How many run at a time; others wait for their turn. @default all run */
  limit?: number;
}

/**
 * Work that belongs together (Go: `x/sync/errgroup`). The first that fails cancels the rest, and is what it all fails with; nothing of it
 * outlives `wait`, not the body of a response either. After `wait` nothing more can be started. Under a limit a piece of work must not wait for another
 * that it has started itself: there may be no place for it.
 */
export interface Group extends AsyncDisposable {
  /** What the work runs under. Ends with the first error, which is then its cause, and when `wait` is over. */
  readonly ctx: Context;
  /**
   * Starts a piece of work, at once or in its turn, with the group's context as `current()`. One whose turn comes after that has ended is not
   * started.
   *
   * @returns its result. It need not be awaited: `wait` rejects with its error
   * @throws TypeError once `wait` has gone well: nothing would look at what is started then
   */
  go<T>(fn: (ctx: Context) => T | PromiseLike<T>): Promise<T>;
  /** Waits until all that was started is over, then rejects with the first error, if there was one. May be called again: the error stays. */
  wait(): Promise<void>;
}

/**
 * Makes a group under a context. `await using work = group(ctx)` cancels what still runs at the end of the block, and waits for it; only `wait` tells
 * of errors.
 *
 * @throws TypeError, RangeError if an option is wrong
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
      callable("fn", fn, "start in a group");
      if (isOver && failed === undefined)
        throw new TypeError("Cannot start in a group: its wait is over; make another group");
      const work = start(fn);
      running.add(work);
      // Whoever does not look at it has not overlooked it.
      work.catch(() => {}).finally(() => running.delete(work));
      return work;
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
