import type { Rpc } from "../observe/rpc.ts";

// OpenTelemetry's names for RPCs. The semantic conventions do not mark them stable, and
// @opentelemetry/semantic-conventions promises compatibility for stable names only.
export const ATTR_RPC_SYSTEM_NAME = "rpc.system.name";
export const ATTR_RPC_METHOD = "rpc.method";
export const ATTR_RPC_STATUS_CODE = "rpc.response.status_code";
export const METRIC_RPC_SERVER_CALL_DURATION = "rpc.server.call.duration";
export const METRIC_RPC_CLIENT_CALL_DURATION = "rpc.client.call.duration";

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
