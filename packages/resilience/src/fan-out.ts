import {
  afterFunc,
  type Context,
  describe,
  type Duration,
  milliseconds,
  oneOf,
  refuseUnknown,
  run,
  withCancel,
  withTimeout,
} from "@throughline/context";

export interface FanOutOptions {
  /** How many run at a time. @default all */
  limit?: number;
  /**
   * When it is over. `"all"`: every item has its result, be it an error. `"first-error"`: likewise, but the first error
   * cancels the rest and is what the call rejects with. `"deadline"`: likewise, but a margin before the context's deadline
   * what has not come by then is cancelled, and the rest is the result.
   *
   * @default "first-error"
   */
  until?: "all" | "first-error" | "deadline";
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
 * is over that context ends: nothing that listens to it outlives the call.
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
  const { limit, until, margin } = settings(fn, options);
  ctx.throwIfDone();
  const remaining = ctx.remaining();
  const [scope, cancel] =
    until === "deadline" && remaining !== Infinity
      ? withTimeout(ctx, Math.max(0, remaining - margin), { source: "fanOut" })
      : withCancel(ctx);
  using _ = cancel;

  const work = [...items];
  const results: PromiseSettledResult<T>[] = [];
  let failed: { reason: unknown } | undefined;
  const next = work.entries();
  async function worker(): Promise<void> {
    for (const [index, item] of next) {
      const result = await settle(scope, () => fn(scope, item, index));
      results[index] = result;
      if (until !== "first-error" || result.status === "fulfilled" || failed !== undefined) continue;
      failed = result;
      cancel(result.reason);
    }
  }
  await untilEnd(ctx, Promise.all(Array.from({ length: Math.min(limit, work.length) }, worker)));
  ctx.throwIfDone();

  if (failed !== undefined) throw failed.reason;
  const values = results.filter((result) => result.status === "fulfilled").map((result) => result.value);
  return { results, values, complete: values.length === results.length };
}

/** One item's result. An item whose context has ended, or ends while it runs, has that context's error. */
async function settle<T>(scope: Context, call: () => T | PromiseLike<T>): Promise<PromiseSettledResult<T>> {
  try {
    scope.throwIfDone();
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

/** The promise's result, or the context's error if that ends before. */
function untilEnd<T>(ctx: Context, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = afterFunc(ctx, () => reject(ctx.err()));
    promise.then(resolve, reject).finally(stop);
  });
}

function settings(fn: unknown, options: FanOutOptions): Required<FanOutOptions> & { margin: number } {
  const { limit = Infinity, until = "first-error", margin = 10, ...others } = options;
  refuseUnknown(others, "fan out");
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot fan out: 'fn' must be a function: current value is ${describe(fn)}`);
  }
  if (!(limit === Infinity || (Number.isInteger(limit) && limit > 0))) {
    throw new RangeError(
      `Cannot fan out: 'limit' must be a positive whole number: current value is ${describe(limit)}`,
    );
  }
  oneOf("until", until, ["all", "first-error", "deadline"], "fan out");
  return { limit, until, margin: milliseconds(margin, "fan out", "margin") };
}
