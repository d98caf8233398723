import { ATTR_RPC_METHOD, ATTR_RPC_STATUS_CODE, ATTR_RPC_SYSTEM_NAME } from "./rpc-conventions.ts";

/** A call of a procedure, which goes over HTTP: it is told of by its procedure, not by the HTTP below. */
export interface Rpc {
  readonly system: "grpc" | "connectrpc";
  /** With its service: `shop.Inventory/Stock`. */
  readonly method: string;
  /** Whether an instrumentation makes its span. */
  readonly isTracedElsewhere: boolean;
  /** How it ended, by the name of its code; set by whoever knows, before the call is over. */
  code?: string | undefined;
}

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
