import { type Context, run } from "@throughline/context";

/**
 * Has the body of a response made in its request's context, whoever reads it. Hosts begin to read when the handler has returned, outside of the
 * request's context: a generator, or a stream that asks another service for more, would call it without deadline and trace, and go on when the
 * client leaves. The body stays the same object. Anything but a stream is left alone.
 *
 * @param failed called with the error of a web stream that fails
 */
export function readInContext(ctx: Context, body: unknown, failed: (error: unknown) => void = () => {}): void {
  if (body instanceof ReadableStream) readWebInContext(ctx, body, failed);
  else if (typeof (body as { _read?: unknown } | null | undefined)?._read === "function") {
    around(body as object, "_read", (read) => run(ctx, read));
  }
}

/** All ways to read a web stream lead through these methods. */
function readWebInContext(ctx: Context, stream: ReadableStream, failed: (error: unknown) => void): void {
  const observed = (read: () => unknown): unknown => {
    const result = run(ctx, read) as Promise<unknown>;
    result.then(undefined, failed);
    return result;
  };
  around(stream, "getReader", (getReader) => {
    const reader = getReader() as object;
    around(reader, "read", observed);
    return reader;
  });
  for (const name of ["values", Symbol.asyncIterator]) {
    around(stream, name, (values) => {
      const iterator = values() as object;
      around(iterator, "next", observed);
      return iterator;
    });
  }
  // What these start is read in the context in which they are called.
  for (const name of ["pipeThrough", "tee"]) around(stream, name, (start) => run(ctx, start));
  around(stream, "pipeTo", observed);
}

/** Replaces a method of one object: it is given the call of the original, with the arguments that it was called with. */
function around(target: object, name: PropertyKey, by: (call: () => unknown) => unknown): void {
  const method = (target as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]!;
  const value = (...args: unknown[]): unknown => by(() => method.apply(target, args));
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
}
