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
 * When a fan-out is complete.
 *
 * `"all"`: every item has a result or an error. `"first-error"`: the same, but the first error cancels the other items
 * and rejects the call. `"first-success"`, or `quorum` items: that many items have a result, and the others are
 * canceled; if that is no longer possible, the call rejects with an AggregateError of the errors. `"deadline"`: like
 * `"all"`, but a margin before the context's deadline the remaining items are canceled, and the call returns the
 * results so far.
 */
export type Until = "all" | "first-error" | "first-success" | "deadline" | { readonly quorum: number };

export interface FanOutOptions {
  /** The number of items that run at a time. @default Infinity */
  limit?: number;
  /** When the call is complete. @default "first-error" */
  until?: Until;
  /**
   * With `until: "deadline"`: the time to reserve before the deadline for using the results.
   * @default 10 (milliseconds)
   */
  margin?: Duration;
}

/** The results of a fan-out, in the order of the items. */
export interface FanOut<T> {
  /** The result or error of each item. */
  readonly results: readonly PromiseSettledResult<T>[];
  /** The results without the errors. */
  readonly values: readonly T[];
  /** Whether every item has a result. */
  readonly complete: boolean;
}

/**
 * Calls `fn` concurrently for every item of a finite iterable. All calls run in one context derived from `ctx`, which
 * is also `current()`. That context ends when the fan-out is complete: consume resources such as a response body inside
 * `fn`.
 *
 * Rejects with `ctx.err()` as soon as `ctx` ends, for every `until`. Errors of items after the completion are ignored.
 *
 * @throws TypeError, RangeError if an argument is invalid
 */
export async function fanOut<Item, T>(
  ctx: Context,
  items: Iterable<Item>,
  fn: (ctx: Context, item: Item, index: number) => T | PromiseLike<T>,
  options: FanOutOptions = {},
): Promise<FanOut<T>> {
  parentOf(ctx, ACTION);
  callable("fn", fn, ACTION);
  const settings = readOptions(options);
  ctx.throwIfAborted();
  const work = [...items];
  const [scope, cancel] = deriveScope(ctx, settings);
  using _ = cancel;

  const results: PromiseSettledResult<T>[] = [];
  const completion = completionOf(settings.until, work.length, cancel);
  const next = work.entries();
  async function worker(): Promise<void> {
    for (const [index, item] of next) {
      const result = await settle(scope, () => fn(scope, item, index));
      results[index] = result;
      completion.record(result);
    }
  }
  await untilEnd(ctx, Promise.all(Array.from({ length: Math.min(settings.limit, work.length) }, worker)));
  ctx.throwIfAborted();

  completion.throwIfFailed(results);
  const values = results.filter((result) => result.status === "fulfilled").map((result) => result.value);
  return { results, values, complete: values.length === results.length };
}

const ACTION = "fan out";

/** Records results, and cancels the remaining items when the fan-out is complete. */
interface Completion {
  record(result: PromiseSettledResult<unknown>): void;
  throwIfFailed(results: readonly PromiseSettledResult<unknown>[]): void;
}

function completionOf(until: "all" | "first-error" | number, count: number, cancel: CancelFunc): Completion {
  if (until === "all") return { record() {}, throwIfFailed() {} };
  return until === "first-error" ? firstError(cancel) : quorum(until, count, cancel);
}

function firstError(cancel: CancelFunc): Completion {
  let failed: PromiseRejectedResult | undefined;
  return {
    record(result) {
      if (result.status === "fulfilled" || failed !== undefined) return;
      failed = result;
      cancel(result.reason);
    },
    throwIfFailed() {
      if (failed !== undefined) throw failed.reason;
    },
  };
}

function quorum(wanted: number, count: number, cancel: CancelFunc): Completion {
  let values = 0;
  let errors = 0;
  if (wanted > count)
    throw new AggregateError([], `Cannot ${ACTION}: a quorum of ${wanted} needs as many items; received ${count}`);
  return {
    record({ status }) {
      if (status === "fulfilled") values += 1;
      else errors += 1;
      if (values === wanted) cancel(new Error("quorum reached"));
      else if (errors === count - wanted + 1) cancel(new Error("quorum no longer reachable"));
    },
    throwIfFailed(results) {
      if (values >= wanted) return;
      const reasons = results
        .filter((result) => result.status === "rejected")
        .map((result) => result.reason as unknown);
      throw new AggregateError(
        reasons,
        `Cannot ${ACTION}: ${values} of ${count} items succeeded, too few for a quorum of ${wanted}`,
      );
    },
  };
}

/** Settles one item. If the context ends before or during the call, the result is the context's error. */
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

function deriveScope(ctx: Context, { margin }: Settings): ReturnType<typeof withCancel> {
  const remaining = ctx.remaining();
  if (margin === undefined || remaining === Infinity) return withCancel(ctx);
  return withTimeout(ctx, Math.max(0, remaining - margin), { source: "fanOut" });
}

interface Settings {
  readonly limit: number;
  readonly until: "all" | "first-error" | number;
  /** Milliseconds; only set for `until: "deadline"`. */
  readonly margin: number | undefined;
}

function readOptions({ limit = Infinity, until = "first-error", margin = 10, ...others }: FanOutOptions): Settings {
  refuseUnknown(others, ACTION);
  wholeNumber("limit", limit, 1, ACTION);
  const marginMs = milliseconds(margin, ACTION, "margin");
  if (typeof until === "object" && until !== null) {
    const { quorum, ...others } = until;
    refuseUnknown(others, ACTION);
    return { limit, until: wholeNumber("quorum", quorum, 1, ACTION), margin: undefined };
  }
  const mode = oneOf("until", until, ["all", "first-error", "first-success", "deadline"], ACTION);
  if (mode === undefined)
    throw new TypeError(`Cannot ${ACTION}: 'until' must be a mode or { quorum }; received ${describeValue(until)}`);
  if (mode === "first-success") return { limit, until: 1, margin: undefined };
  return mode === "deadline" ? { limit, until: "all", margin: marginMs } : { limit, until: mode, margin: undefined };
}
