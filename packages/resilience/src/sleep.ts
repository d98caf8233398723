import { afterFunc, type Context, type Duration } from "@throughline/context";
import { callAfter, parentOf, remainingTime } from "@throughline/context/internal";

/**
 * Resolves once the time has passed, and not before. A negative number is no time: it resolves at once (Go: `time.Sleep`).
 *
 * @returns a promise that rejects with `ctx.err()`, at once, when the context ends first or has ended already
 * @throws RangeError if the duration is none
 */
export async function sleep(ctx: Context, duration: Duration): Promise<void> {
  parentOf(ctx, "sleep");
  const ms = remainingTime(duration, "sleep", "duration");
  ctx.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stopWaiting = afterFunc(ctx, () => {
      stopAlarm();
      reject(ctx.err());
    });
    const stopAlarm = callAfter(ms, () => {
      stopWaiting();
      resolve();
    });
  });
}
