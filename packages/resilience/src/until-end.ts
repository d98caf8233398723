import { afterFunc, type Context } from "@throughline/context";

/**
 * Returns the promise's result, or rejects with the context's error if the context ends first. A later outcome of the
 * promise is ignored.
 */
export async function untilEnd<T>(ctx: Context, promise: PromiseLike<T>): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const stop = afterFunc(ctx, () => ended.reject(ctx.err()));
  try {
    return await Promise.race([promise, ended.promise]);
  } finally {
    stop();
  }
}
