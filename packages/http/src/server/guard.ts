import type { Context } from "@throughline/context";

import { NodeHeaders, type RequestHeaders } from "../headers.ts";
import { exchangeIn } from "./exchange.ts";

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

/** What to go on in. The guard also sees the headers that were taken away from the request until somebody verifies what they say. */
export async function passGuard(guard: Guard, headers: RequestHeaders, ctx: Context): Promise<Context> {
  return (await guard({ ctx, headers: withHeldBack(headers, ctx) })) ?? ctx;
}

function withHeldBack(headers: RequestHeaders, ctx: Context): RequestHeaders {
  const heldBack = exchangeIn(ctx)?.heldBack;
  if (heldBack === undefined || heldBack.size === 0) return headers;
  return {
    get: (name) => heldBack.get(name) ?? headers.get(name),
    names: () => [...new Set([...heldBack.keys(), ...headers.names()])],
  };
}

/** The headers of a request of Node's. */
export function headersOf(req: { readonly headers: Record<string, string | string[] | undefined> }): RequestHeaders {
  return new NodeHeaders(req.headers);
}
