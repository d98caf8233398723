import { afterFunc, callAfter, type Context, type Duration, milliseconds } from "@throughline/context";

/**
 * Resolves once the time has passed, and not before.
 *
 * @returns a promise that rejects with `ctx.err()`, at once, when the context ends first or has ended already
 * @throws RangeError if the duration is none
 */
export async function sleep(ctx: Context, duration: Duration): Promise<void> {
  const ms = milliseconds(duration, "sleep", "duration");
  ctx.throwIfDone();
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
