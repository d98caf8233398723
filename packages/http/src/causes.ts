/** How far a chain of causes is followed: some go round in a circle. */
const DEEPEST = 16;

/** An error, its cause, the cause of that, and so on. */
export function* causes(error: unknown): Generator<Error> {
  let each = error;
  for (let depth = 0; depth < DEEPEST && each instanceof Error; depth++) {
    yield each;
    each = each.cause;
  }
}
