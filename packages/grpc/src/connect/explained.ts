import { type Code, ConnectError } from "@connectrpc/connect";
import { type Context, ContextError } from "@throughline/context";

import { type CallStatus, errorOfStatus, callStatusOf, statusOfEnd } from "../status.ts";

export function connectErrorOf({ code, details, metadata }: CallStatus, cause?: unknown): ConnectError {
  return new ConnectError(details, code as number as Code, metadata, undefined, cause);
}

/** The error that a handler failed with, as it goes out: those of this library, however deep they are wrapped, have a code of their own. */
export function outgoing(error: unknown, ctx: Context): unknown {
  if (error instanceof ConnectError && error.code !== (UNKNOWN as Code)) return error;
  const ended = ctx.err();
  const status = callStatusOf(error) ?? (ended === undefined ? undefined : callStatusOf(ended));
  return status === undefined ? error : connectErrorOf(status, error);
}

const UNKNOWN = 2;

/** The error that a call failed with: cut short by the end of its context it has that context's own error as its cause. */
export function incoming(error: unknown, ctx: Context): unknown {
  const own = ctx.err();
  if (error instanceof ContextError) return connectErrorOf(statusOfEnd(error), error);
  if (own !== undefined) return connectErrorOf(statusOfEnd(own), own);
  if (error instanceof ConnectError) error.cause ??= errorOfStatus(error.code, error.rawMessage);
  return error;
}
