import { type Context, run } from "@throughline/context";

/**
 * Produces the body of a response in the context of its request. Hosts read the body after the handler has returned,
 * outside of the request's context: a generator that calls another service would call it without deadline and trace,
 * and continue after the client has left. The body stays the same object. A body that is not a stream is left as it is.
 *
 * @param failed called with the error of a web stream that fails
 */
export function readInContext(ctx: Context, body: unknown, failed: (error: unknown) => void = () => {}): void {
  if (body instanceof ReadableStream) readWebInContext(ctx, body, failed);
  else if (typeof (body as { _read?: unknown } | null | undefined)?._read === "function") {
    wrapMethod(body as object, "_read", (read) => run(ctx, read));
  }
}

/** Wraps all methods that read a web stream. */
function readWebInContext(ctx: Context, stream: ReadableStream, failed: (error: unknown) => void): void {
  const observed = (read: () => unknown): unknown => {
    const result = run(ctx, read) as Promise<unknown>;
    result.then(undefined, failed);
    return result;
  };
  wrapMethod(stream, "getReader", (getReader) => {
    const reader = getReader() as object;
    wrapMethod(reader, "read", observed);
    return reader;
  });
  for (const name of ["values", Symbol.asyncIterator]) {
    wrapMethod(stream, name, (values) => {
      const iterator = values() as object;
      wrapMethod(iterator, "next", observed);
      return iterator;
    });
  }
  // These start readers of their own, which read in the context of this call.
  for (const name of ["pipeThrough", "tee"]) wrapMethod(stream, name, (start) => run(ctx, start));
  wrapMethod(stream, "pipeTo", observed);
}

/**
 * Replaces a method of one object.
 *
 * @param wrapper receives a function that calls the original method with the caller's arguments
 */
function wrapMethod(target: object, name: PropertyKey, wrapper: (call: () => unknown) => unknown): void {
  const method = (target as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]!;
  const value = (...args: unknown[]): unknown => wrapper(() => method.apply(target, args));
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
}
