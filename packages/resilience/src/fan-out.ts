import { type CancelFunc, type Context, type Duration, run, withCancel, withTimeout } from "@throughline/context";
import {
  callable,
  describeValue,
  milliseconds,
  parentOf,
  oneOf,
  refuseUnknown,
  wholeNumber,
} from "@throughline/context/internal";

import { untilEnd } from "./until-end.ts";

/**
 * When a fan-out is over. `"all"`: every item has its result, be it an error. `"first-error"`: likewise, but the first error cancels
 * the rest and is what the call rejects with. `"first-success"`, or so many: as many have a value, and the rest is cancelled; where that
 * can no longer be, the call rejects with an AggregateError of what went wrong. `"deadline"`: every item has its result, but a margin
 * before the context's deadline what has not come by then is cancelled, and the rest is the result.
 */
export type Until = "all" | "first-error" | "first-success" | "deadline" | { readonly quorum: number };

export interface FanOutOptions {
  /** How many run at a time. @default all */
  limit?: number;
  /** When it is over. @default "first-error" */
  until?: Until;
  /** With `until: "deadline"`: time kept to make an answer of what has come. @default 10 (milliseconds) */
  margin?: Duration;
}

/** What came of all items, in their order. */
export interface FanOut<T> {
  readonly results: readonly PromiseSettledResult<T>[];
  /** The results that came, without the errors. */
  readonly values: readonly T[];
  /** Whether every item has a value. */
  readonly complete: boolean;
}

/**
 * Calls `fn` for every item, of which there must be an end, concurrently, each under a context derived from `ctx`, which is also `current()` in it. When the call
 * is over that context ends: nothing that listens to it outlives the call, not the body of a response either.
 *
 * Rejects at once with `ctx.err()` when `ctx` ends, whatever `until` says. An error of an item that comes too late for anyone is
 * dropped.
 *
 * @throws TypeError, RangeError if an argument is wrong
 */
export async function fanOut<Item, T>(
  ctx: Context,
  items: Iterable<Item>,
  fn: (ctx: Context, item: Item, index: number) => T | PromiseLike<T>,
  options: FanOutOptions = {},
): Promise<FanOut<T>> {
  parentOf(ctx, ACTION);
  callable("fn", fn, ACTION);
  const settings = settingsOf(options);
  ctx.throwIfAborted();
  const work = [...items];
  const [scope, cancel] = scopeOf(ctx, settings);
  using _ = cancel;

  const results: PromiseSettledResult<T>[] = [];
  const verdict = verdictOf(settings.until, work.length, cancel);
  const next = work.entries();
  async function worker(): Promise<void> {
    for (const [index, item] of next) {
      const result = await settle(scope, () => fn(scope, item, index));
      results[index] = result;
      verdict.take(result);
    }
  }
  await untilEnd(ctx, Promise.all(Array.from({ length: Math.min(settings.limit, work.length) }, worker)));
  ctx.throwIfAborted();

  verdict.throwIfFailed(results);
  const values = results.filter((result) => result.status === "fulfilled").map((result) => result.value);
  return { results, values, complete: values.length === results.length };
}

const ACTION = "fan out";

/** Looks at the results as they come, and ends it all when that is due. */
interface ErrorDisposition {
  take(result: PromiseSettledResult<unknown>): void;
  throwIfFailed(results: readonly PromiseSettledResult<unknown>[]): void;
}

function verdictOf(until: "all" | "first-error" | number, count: number, cancel: CancelFunc): ErrorDisposition {
  if (until === "all") return { take() {}, throwIfFailed() {} };
  return until === "first-error" ? firstError(cancel) : quorum(until, count, cancel);
}

function firstError(cancel: CancelFunc): ErrorDisposition {
  let failed: PromiseRejectedResult | undefined;
  return {
    take(result) {
      if (result.status === "fulfilled" || failed !== undefined) return;
      failed = result;
      cancel(result.reason);
    },
    throwIfFailed() {
      if (failed !== undefined) throw failed.reason;
    },
  };
}

function quorum(wanted: number, count: number, cancel: CancelFunc): ErrorDisposition {
  let values = 0;
  let errors = 0;
  if (wanted > count)
    throw new AggregateError([], `there are ${count} items, too few for the ${wanted} results that are wanted`);
  return {
    take({ status }) {
      if (status === "fulfilled") values += 1;
      else errors += 1;
      if (values === wanted) cancel(new Error("enough results have come"));
      else if (errors === count - wanted + 1) cancel(new Error("too few results can still come"));
    },
    throwIfFailed(results) {
      if (values >= wanted) return;
      const reasons = results
        .filter((result) => result.status === "rejected")
        .map((result) => result.reason as unknown);
      throw new AggregateError(reasons, `only ${values} of ${count} results came, of ${wanted} that were wanted`);
    },
  };
}

/** One item's result. An item whose context has ended, or ends while it runs, has that context's error. */
async function settle<T>(scope: Context, call: () => T | PromiseLike<T>): Promise<PromiseSettledResult<T>> {
  try {
    scope.throwIfAborted();
    return {
      status: "fulfilled",
      value: await untilEnd(
        scope,
        run(scope, async () => call()),
      ),
    };
  } catch (reason) {
    return { status: "rejected", reason };
  }
}

function scopeOf(ctx: Context, { margin }: Settings): ReturnType<typeof withCancel> {
  const remaining = ctx.remaining();
  if (margin === undefined || remaining === Infinity) return withCancel(ctx);
  return withTimeout(ctx, Math.max(0, remaining - margin), { source: "fanOut" });
}

interface Settings {
  readonly limit: number;
  readonly until: "all" | "first-error" | number;
  /** Set where it is over at the deadline. */
  readonly margin: number | undefined;
}

function settingsOf({ limit = Infinity, until = "first-error", margin = 10, ...others }: FanOutOptions): Settings {
  refuseUnknown(others, ACTION);
  wholeNumber("limit", limit, 1, ACTION);
  const kept = milliseconds(margin, ACTION, "margin");
  if (typeof until === "object" && until !== null) {
    const { quorum, ...others } = until;
    refuseUnknown(others, ACTION);
    return { limit, until: wholeNumber("quorum", quorum, 1, ACTION), margin: undefined };
  }
  const known = oneOf("until", until, ["all", "first-error", "first-success", "deadline"], ACTION);
  if (known === undefined)
    throw new TypeError(`Cannot ${ACTION}: 'until' is missing; received ${describeValue(until)}`);
  if (known === "first-success") return { limit, until: 1, margin: undefined };
  return known === "deadline" ? { limit, until: "all", margin: kept } : { limit, until: known, margin: undefined };
}
