import type { Rpc } from "../observe/rpc.ts";
import { ATTR_RPC_METHOD, ATTR_RPC_STATUS_CODE, ATTR_RPC_SYSTEM_NAME } from "./rpc-conventions.ts";

/** What spans and metrics say of it, now or when it is over. */
export function rpcAttributes({ system, method, code }: Rpc): Record<string, string> {
  const attributes: Record<string, string> = { [ATTR_RPC_SYSTEM_NAME]: system, [ATTR_RPC_METHOD]: method };
  if (code !== undefined) attributes[ATTR_RPC_STATUS_CODE] = code;
  return attributes;
}

/** The codes that are a server's fault, by the conventions for SERVER spans. A client counts all but OK. */
const FAULTS = new Set(["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]);

/** `error.type` of a call on the server's side; `undefined` where nothing of the server's went wrong. */
export function serverFault({ code }: Rpc): string | undefined {
  return code !== undefined && FAULTS.has(code.toUpperCase()) ? code : undefined;
}
