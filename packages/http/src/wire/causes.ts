/** Limit of the walk: a chain of causes may be circular, and an AggregateError may contain thousands of errors. */
const MAX_ERRORS = 64;

/**
 * Yields an error and all errors that it wraps, nearest first: its cause, the errors of an AggregateError, and so on
 * (the walk of Go's `errors.Is`). Errors are recognized by shape: errors of another realm, as in Jest and `node:vm`,
 * are not `instanceof Error` here.
 */
export function* causes(error: unknown): Generator<Error> {
  const found: unknown[] = [error];
  for (let index = 0; index < found.length && index < MAX_ERRORS; index++) {
    const each = found[index];
    if (!isError(each)) continue;
    yield each;
    found.push(each.cause);
    const { errors } = each as { errors?: unknown };
    if (Array.isArray(errors)) found.push(...errors.slice(0, MAX_ERRORS));
  }
}

function isError(value: unknown): value is Error {
  if (value instanceof Error) return true;
  const { name, message } = (value ?? {}) as Partial<Error>;
  return typeof name === "string" && typeof message === "string";
}
