import type { Rpc } from "../observe/rpc.ts";
import { ATTR_RPC_METHOD, ATTR_RPC_STATUS_CODE, ATTR_RPC_SYSTEM_NAME } from "./semantic-conventions.ts";

/** Returns the attributes of an RPC for spans and metrics, with its status code if it has ended. */
export function rpcAttributes({ system, method, code }: Rpc): Record<string, string> {
  const attributes: Record<string, string> = { [ATTR_RPC_SYSTEM_NAME]: system, [ATTR_RPC_METHOD]: method };
  if (code !== undefined) attributes[ATTR_RPC_STATUS_CODE] = code;
  return attributes;
}

/** The status codes that are errors of the server by the conventions for SERVER spans. For a client, all but OK are. */
const SERVER_ERRORS = new Set([
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

/** Returns `error.type` of an RPC on the server's side; `undefined` unless the server failed. */
export function serverFault({ code }: Rpc): string | undefined {
  return code !== undefined && SERVER_ERRORS.has(code.toUpperCase()) ? code : undefined;
}
