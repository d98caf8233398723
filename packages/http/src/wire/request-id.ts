import { type Context, createKey, current, traceId, withValue } from "@throughline/context";

import { type RequestHeaders, single } from "./headers.ts";

/** The id of a request by a header of its own, for services and logs that know no trace. */
interface RequestId {
  /** In lower case. */
  readonly header: string;
  /** The caller's; `undefined` where it gave none, or none that is fit for a log. */
  readonly given: string | undefined;
}

const requestIdKey = createKey<RequestId>("request id");

/** What common generators make, UUIDs, ULIDs and the like, and nothing that could break a log or a header. */
const FIT = /^[\w.:/+=@-]{1,128}$/;

/**
 * The id of the request that the context belongs to: the caller's, where the server reads a header for it (`requestIdHeader`) and the caller sent one,
 * else that of its trace. `undefined` outside of any request.
 */
export function requestId(ctx: Context = current()): string | undefined {
  return ctx.value(requestIdKey)?.given ?? traceId(ctx);
}

export function withRequestId(ctx: Context, header: string, headers: RequestHeaders): Context {
  const value = single(headers, header);
  return withValue(ctx, requestIdKey, { header, given: value !== undefined && FIT.test(value) ? value : undefined });
}

/** The header to answer, and to call others with; `undefined` where none is used. */
export function requestIdHeader(ctx: Context): readonly [name: string, value: string] | undefined {
  const known = ctx.value(requestIdKey);
  if (known === undefined) return undefined;
  const id = requestId(ctx);
  return id === undefined ? undefined : [known.header, id];
}
