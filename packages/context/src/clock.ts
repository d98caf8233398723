/** A clock that replaces the monotonic clock in tests. */
export interface Clock {
  /** Milliseconds; never less than at an earlier call. */
  now(): number;
}

let replacement: Clock | undefined;

/**
 * Milliseconds on the monotonic clock, with fractions. All deadlines use it, so changes of the wall clock do not affect
 * them. `performance` is looked up at each call, so that fake timers in tests apply here too.
 */
export function now(): number {
  return replacement === undefined ? performance.now() : replacement.now();
}

/** Replaces the monotonic clock of this copy of the package; `undefined` restores it. */
export function replaceClock(clock: Clock | undefined): void {
  replacement = clock;
}
