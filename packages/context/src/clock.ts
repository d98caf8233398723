/**
 * Milliseconds on the monotonic clock, with fractions.
 *
 * Every deadline lives on this clock, so that a jump of the wall clock changes nothing. Looked up at
 * each call: whoever fakes `performance` in a test fakes our time.
 */
export function now(): number {
  return performance.now();
}
