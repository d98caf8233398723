import { now } from "./clock.ts";
import { type Alarm, arm, disarm } from "./timers.ts";

/**
 * Has `fn` called once `ms` milliseconds have passed on the monotonic clock, never earlier, however many they are. Unlike a deadline
 * it keeps the process alive until then. It runs in nobody's AsyncLocalStorage context.
 *
 * @returns stop; does nothing once `fn` was called
 */
export function callAfter(ms: number, fn: () => void): () => void {
  const alarm: Alarm = { at: now() + ms, slot: -1, keepsAlive: true, due: fn };
  arm(alarm);
  return () => disarm(alarm);
}
