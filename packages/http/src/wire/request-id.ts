import { type Context, createKey, current, traceId, withValue } from "@throughline/context";

import { type RequestHeaders, single } from "./headers.ts";

/** A request id in a separate header, for services and logs without traces. */
interface RequestIdHeader {
  /** Lower case. */
  readonly header: string;
  /** The caller's id; `undefined` if it sent none, or one that is not safe to log. */
  readonly fromCaller: string | undefined;
}

const requestIdKey = createKey<RequestIdHeader>("request id");

/**
 * Accepts what common generators produce, such as UUIDs and ULIDs, and no character that could break a log or a header.
 */
const SAFE_ID = /^[\w.:/+=@-]{1,128}$/;

/**
 * Returns the id of the request: the caller's if the server reads a header for it (`requestIdHeader`) and the caller
 * sent a valid one, else the trace id. Returns `undefined` outside of a request.
 */
export function requestId(ctx: Context = current()): string | undefined {
  return ctx.value(requestIdKey)?.fromCaller ?? traceId(ctx);
}

export function withRequestId(ctx: Context, header: string, headers: RequestHeaders): Context {
  const value = single(headers, header);
  const fromCaller = value !== undefined && SAFE_ID.test(value) ? value : undefined;
  return withValue(ctx, requestIdKey, { header, fromCaller });
}

/** Returns the request id header for the response and for outbound calls; `undefined` if the server uses none. */
export function requestIdHeader(ctx: Context): readonly [name: string, value: string] | undefined {
  const header = ctx.value(requestIdKey)?.header;
  if (header === undefined) return undefined;
  const id = requestId(ctx);
  return id === undefined ? undefined : [header, id];
}
