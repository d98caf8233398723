import { afterFunc, type Context, type Duration } from "@throughline/context";
import { callAfter, parentOf, remainingTime } from "@throughline/context/internal";

/**
 * Waits for a duration on the monotonic clock, never less. A negative number is 0 (Go: `time.Sleep`).
 *
 * @returns a promise that rejects with `ctx.err()` as soon as the context ends
 * @throws TypeError, RangeError if the duration is invalid
 */
export async function sleep(ctx: Context, duration: Duration): Promise<void> {
  parentOf(ctx, "sleep");
  const ms = remainingTime(duration, "sleep", "duration");
  ctx.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stopCallback = afterFunc(ctx, () => {
      stopTimer();
      reject(ctx.err());
    });
    const stopTimer = callAfter(ms, () => {
      stopCallback();
      resolve();
    });
  });
}
