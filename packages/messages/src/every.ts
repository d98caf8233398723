import { background, type Context, type Duration, run } from "@throughline/context";
import { milliseconds } from "@throughline/context/internal";

import { createJob, type JobOptions } from "./job.ts";

export interface EveryOptions extends Omit<JobOptions, "within"> {
  /** How long one run may take. @default the interval */
  within?: Duration;
}

/** Ends the schedule; a run that is under way goes on. A second call does nothing. */
export type StopSchedule = (() => void) & Disposable;

const ACTION = "schedule work";

/**
 * Runs work again and again, each time in a Context of its own that derives from `background`, also if it is scheduled
 * inside of a request: that request's context would have ended at the first run. Runs do not overlap: one that is due
 * while another is under way is left out. The timer alone keeps no process alive. A drain of the consumers ends the
 * schedule when it begins.
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
  if (ms < 1) throw new RangeError(`Cannot ${ACTION}: 'interval' must be at least 1 ms; received ${ms} ms`);
  const runOnce = createJob({ within: interval, ...options }, work, { action: ACTION, source: "every" });
  // Outside of the request, if there is one, that schedules it.
  const timer = run(background, () => setInterval(() => void runOnce(), ms));
  timer.unref?.();
  let remove: (() => void) | undefined;
  const stop = (() => {
    remove?.();
    clearInterval(timer);
  }) as StopSchedule;
  remove = options.consumers?.onDrain(stop);
  stop[Symbol.dispose] = stop;
  return stop;
}
