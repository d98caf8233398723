import { type Context, isContext } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

import { NodeHeaders, type RequestHeaders } from "../wire/headers.ts";
import { serverRequestIn } from "./server-request.ts";

/** What a guard can read of a request. */
export interface GuardedRequest {
  readonly ctx: Context;
  readonly headers: RequestHeaders;
}

/**
 * Decides on a request before its handler runs. To reject the request it throws, for example `Unauthenticated` or
 * `Forbidden`. To accept it, it returns the context for the handler, for example one with a principal, or `undefined`
 * to keep the context.
 */
export type Guard = (request: GuardedRequest) => Context | void | Promise<Context | void>;

/**
 * Calls a guard and returns the context for the handler. The guard also sees the headers that were removed from the
 * request until their content is verified.
 *
 * @throws ContextError the error of the context, if it ended while the guard decided
 * @throws TypeError if the guard returns anything but a Context or `undefined`, so that `false` does not let a request
 *   through
 */
export async function applyGuard(guard: Guard, headers: RequestHeaders, ctx: Context): Promise<Context> {
  const result: unknown = await guard({ ctx, headers: withUnverified(headers, ctx) });
  if (result !== undefined && !isContext(result)) {
    throw new TypeError(
      `Cannot pass a guard: it must return a Context or undefined, or throw, as with new Forbidden(); received ${describeValue(result)}`,
    );
  }
  const guarded = result ?? ctx;
  ctx.throwIfAborted();
  guarded.throwIfAborted();
  const serverRequest = serverRequestIn(guarded);
  if (serverRequest !== undefined) serverRequest.entered = guarded;
  return guarded;
}

function withUnverified(headers: RequestHeaders, ctx: Context): RequestHeaders {
  const unverified = serverRequestIn(ctx)?.unverifiedHeaders();
  if (unverified === undefined || unverified.size === 0) return headers;
  return {
    get: (name) => unverified.get(name) ?? headers.get(name),
    names: () => [...new Set([...unverified.keys(), ...headers.names()])],
  };
}

/** Reads the headers of a request of `node:http` or `node:http2`. */
export function nodeHeaders(req: { readonly headers: Record<string, string | string[] | undefined> }): RequestHeaders {
  return new NodeHeaders(req.headers);
}
