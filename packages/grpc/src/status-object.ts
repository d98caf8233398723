import { Metadata, type StatusObject } from "@grpc/grpc-js";

import { type CallStatus, callStatusOf } from "./status.ts";

/**
 * Returns the status of an error of this library, for a handler's callback: `callback(statusOf(error) ?? error)`. The
 * error may also be the cause of another one, at any depth. The codes are 4 and 1 for the end of a context (as in Go),
 * 16 for `Unauthenticated`, 7 for `Forbidden`, 14 for `ServerOverloaded` and `ServerDraining`, 3 for a header that
 * cannot be read, and 13 for a malformed deadline.
 *
 * @returns `undefined` for any other error
 */
export function statusOf(error: unknown): StatusObject | undefined {
  const status = callStatusOf(error);
  return status === undefined ? undefined : statusObject(status);
}

export function statusObject({ code, details, metadata }: CallStatus): StatusObject {
  const trailers = new Metadata();
  for (const [name, value] of Object.entries(metadata)) trailers.set(name, value);
  return { code: code as number, details, metadata: trailers };
}
