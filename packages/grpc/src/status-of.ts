import { Metadata, type StatusObject } from "@grpc/grpc-js";

import { type CallStatus, callStatusOf } from "./status.ts";

/**
 * What a handler is to answer for an error that is this library's to explain: the end of a context (4 or 1, as in Go), however deep it is wrapped; who
 * may not, a server that is too busy or ends, a header that cannot be read. `undefined` for any other error, which is the application's:
 * `callback(statusOf(error) ?? error)`.
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
