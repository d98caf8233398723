import { afterFunc, type Context, type Duration, milliseconds } from "@throughline/context";

/** Longest delay that `setTimeout` takes. */
const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * Resolves once the time has passed.
 *
 * @returns a promise that rejects with `ctx.err()`, at once, when the context ends first or has ended already
 * @throws RangeError if the duration is none
 */
export async function sleep(ctx: Context, duration: Duration): Promise<void> {
  let left = milliseconds(duration, "sleep", "duration");
  ctx.throwIfDone();
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout;
    const stop = afterFunc(ctx, () => {
      clearTimeout(timer);
      reject(ctx.err());
    });
    function wait(): void {
      const delay = Math.min(left, LONGEST_DELAY);
      left -= delay;
      timer = setTimeout(left > 0 ? wait : done, delay);
    }
    function done(): void {
      stop();
      resolve();
    }
    wait();
  });
}
