import { type Context, isContext } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

import { NodeHeaders, type RequestHeaders } from "../wire/headers.ts";
import { serverRequestIn } from "./server-request.ts";

/** What a guard is told of a request. */
export interface GuardedRequest {
  readonly ctx: Context;
  readonly headers: RequestHeaders;
}

/**
 * Decides on a request before its handler: it throws what it is to be answered with, such as `Unauthenticated` or `Forbidden`, or gives
 * the context to go on in, such as one that says who the request is for; or nothing, to go on as it is.
 */
export type Guard = (request: GuardedRequest) => Context | void | Promise<Context | void>;

/**
 * The context to go on in. The guard also sees the headers that were removed from the request until their content is verified.
 *
 * @throws ContextError that of the context, if it ended while the guard decided: the handler must not run for a request that is over
 * @throws TypeError if the guard returns anything but a Context or `undefined`: `false` is not taken for consent
 */
export async function applyGuard(guard: Guard, headers: RequestHeaders, ctx: Context): Promise<Context> {
  const answer: unknown = await guard({ ctx, headers: withHeldBack(headers, ctx) });
  if (answer !== undefined && !isContext(answer)) {
    throw new TypeError(
      `Cannot pass a guard: it must return a Context or undefined, or throw, as with new Forbidden(); received ${describeValue(answer)}`,
    );
  }
  const within = answer ?? ctx;
  ctx.throwIfAborted();
  within.throwIfAborted();
  const serverRequest = serverRequestIn(within);
  if (serverRequest !== undefined) serverRequest.entered = within;
  return within;
}

function withHeldBack(headers: RequestHeaders, ctx: Context): RequestHeaders {
  const unverified = serverRequestIn(ctx)?.unverifiedHeaders();
  if (unverified === undefined || unverified.size === 0) return headers;
  return {
    get: (name) => unverified.get(name) ?? headers.get(name),
    names: () => [...new Set([...unverified.keys(), ...headers.names()])],
  };
}

/** The headers of a request of Node's. */
export function nodeHeaders(req: { readonly headers: Record<string, string | string[] | undefined> }): RequestHeaders {
  return new NodeHeaders(req.headers);
}
