/** How many errors are looked at: chains of causes may go round in a circle, and an AggregateError may hold thousands. */
const MOST = 64;

/** An error, then what it wraps: its cause, the errors of an AggregateError, and so on, the nearest first (Go: `errors.Is` walks the same). */
export function* causes(error: unknown): Generator<Error> {
  const found: unknown[] = [error];
  for (let index = 0; index < found.length && index < MOST; index++) {
    const each = found[index];
    if (!(each instanceof Error)) continue;
    yield each;
    found.push(each.cause);
    if (each instanceof AggregateError && Array.isArray(each.errors)) found.push(...each.errors.slice(0, MOST));
  }
}
