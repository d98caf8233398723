/**
 * Milliseconds on the monotonic clock, with fractions. All deadlines use it, so changes of the wall clock do not affect
 * them. `performance` is looked up at each call, so that fake timers in tests apply here too.
 */
export function now(): number {
  return performance.now();
}
