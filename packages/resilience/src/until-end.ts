import { afterFunc, type Context } from "@throughline/context";

/** The promise's result, or the context's error if that ends before. What comes of the promise after that is dropped. */
export async function untilEnd<T>(ctx: Context, promise: PromiseLike<T>): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const stop = afterFunc(ctx, () => ended.reject(ctx.err()));
  try {
    return await Promise.race([promise, ended.promise]);
  } finally {
    stop();
  }
}
