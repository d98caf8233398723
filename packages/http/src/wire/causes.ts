/** How many errors are looked at: chains of causes may go round in a circle, and an AggregateError may hold thousands. */
const MOST = 64;

/**
 * An error, then the errors that it wraps: its cause, the errors of an AggregateError, and so on, the nearest first (Go: `errors.Is` walks
 * the same). Told by shape: Jest and `node:vm` have errors of another realm, which are not `instanceof Error` here.
 */
export function* causes(error: unknown): Generator<Error> {
  const found: unknown[] = [error];
  for (let index = 0; index < found.length && index < MOST; index++) {
    const each = found[index];
    if (!isError(each)) continue;
    yield each;
    found.push(each.cause);
    const { errors } = each as { errors?: unknown };
    if (Array.isArray(errors)) found.push(...errors.slice(0, MOST));
  }
}

function isError(value: unknown): value is Error {
  if (value instanceof Error) return true;
  const { name, message } = (value ?? {}) as Partial<Error>;
  return typeof name === "string" && typeof message === "string";
}
