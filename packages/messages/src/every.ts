import { background, type Context, type Duration, run, withTimeout } from "@throughline/context";
import { callable, milliseconds, refuseUnknown } from "@throughline/context/internal";

import type { Consumers } from "./consumers.ts";

export interface EveryOptions {
  /** How long one run may take. @default the interval */
  within?: Duration;
  /** A drain ends the schedule, and the run that is under way. @default none */
  consumers?: Consumers;
  /** Called with the error of a run that fails. @default a warning of the process */
  onError?: (error: unknown) => void;
}

/** Ends the schedule; a run that is under way goes on. A second call does nothing. */
export type StopSchedule = (() => void) & Disposable;

const ACTION = "schedule work";

/**
 * Runs work again and again, each time in a Context of its own that derives from `background`, also if it is scheduled
 * inside of a request: that request's context would have ended at the first run. Runs do not overlap: one that is due
 * while another is under way is left out. The timer alone keeps no process alive.
 *
 * @param interval from the start of one run to the start of the next
 * @throws TypeError, RangeError if an argument is wrong
 */
export function every(
  interval: Duration,
  options: EveryOptions,
  work: (ctx: Context) => Promise<unknown> | void,
): StopSchedule {
  const ms = milliseconds(interval, ACTION, "interval");
  const { within = interval, consumers, onError = warn, ...others } = options;
  refuseUnknown(others, ACTION);
  callable("work", work, ACTION);
  callable("onError", onError, ACTION);
  if (ms < 1) throw new RangeError(`Cannot ${ACTION}: 'interval' must be at least 1 ms; received ${ms} ms`);
  const limit = milliseconds(within, ACTION, "within");
  const parent = consumers?.ctx ?? background;
  let isRunning = false;

  const once = async (): Promise<void> => {
    if (isRunning) return;
    if (parent.err() !== undefined) return stop();
    isRunning = true;
    const done = consumers?.begin();
    const [ctx, cancel] = withTimeout(parent, limit, { source: "every" });
    try {
      await run(ctx, async () => work(ctx));
    } catch (error) {
      onError(error);
    } finally {
      cancel();
      done?.();
      isRunning = false;
    }
  };
  // Outside of the request, if there is one, that schedules it.
  const timer = run(background, () => setInterval(() => void once().catch(warn), ms));
  timer.unref?.();
  const stop = (() => clearInterval(timer)) as StopSchedule;
  stop[Symbol.dispose] = stop;
  return stop;
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)), { code: "THROUGHLINE_SCHEDULED" });
}
