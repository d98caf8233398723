import { type Code, ConnectError } from "@connectrpc/connect";
import { type Context, ContextError } from "@throughline/context";

import { type CallStatus, callStatusOf, CODE, codeName, errorOfStatus, errorWithCode, statusOfEnd } from "../status.ts";

export function connectErrorOf({ code, details, metadata }: CallStatus, cause?: unknown): ConnectError {
  return new ConnectError(details, code as number as Code, metadata, undefined, cause);
}

export function codeOf(error: unknown): number {
  return error instanceof ConnectError ? error.code : CODE.UNKNOWN;
}

/** The error to send for an error of a handler. Errors of this library get their code, also as a cause at any depth. */
export function handlerError(error: unknown, ctx: Context): unknown {
  if (error instanceof ConnectError && error.code !== (CODE.UNKNOWN as number as Code)) return error;
  const ended = ctx.err();
  const status = callStatusOf(error) ?? (ended === undefined ? undefined : callStatusOf(ended));
  return status === undefined ? error : connectErrorOf(status, error);
}

/** The error to throw for a client's call that failed. If the context ended, the context's own error is the cause. */
export function callError(error: unknown, ctx: Context): unknown {
  const own = ctx.err();
  if (error instanceof ContextError) return connectErrorOf(statusOfEnd(error), error);
  if (own !== undefined) return connectErrorOf(statusOfEnd(own), own);
  if (error instanceof ConnectError) error.cause ??= errorOfStatus(error.code, error.rawMessage);
  return error;
}

/**
 * The error that spans and metrics record: the cause, such as the error of a context, else an error with the name of
 * the code.
 */
export function errorForTelemetry(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error;
  const { cause, code, message } = error;
  return cause instanceof Error ? cause : errorWithCode(code, message);
}

/** The name of the code that a call ended with. */
export function endCodeName(error: unknown): string {
  return codeName(error === undefined ? CODE.OK : codeOf(error));
}
