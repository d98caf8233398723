import type { Interceptor } from "@connectrpc/connect";
import type { Rpc } from "@throughline/http/adapter";

/** The request and the response of Connect's interceptors, on both sides. */
export type ConnectRequest = Parameters<ReturnType<Interceptor>>[0];
export type ConnectResponse = Awaited<ReturnType<ReturnType<Interceptor>>>;

/** Whether a call uses gRPC or gRPC-Web, not Connect's own protocol. The deadline headers differ. */
export function isGrpc({ header }: ConnectRequest): boolean {
  return header.get("content-type")?.startsWith("application/grpc") === true;
}

export function rpcOf(request: ConnectRequest): Rpc {
  return {
    system: isGrpc(request) ? "grpc" : "connectrpc",
    method: `${request.service.typeName}/${request.method.name}`,
    isTracedElsewhere: false,
  };
}

/** The name of a code in the call's protocol: `deadline_exceeded` in Connect's, `DEADLINE_EXCEEDED` in gRPC. */
export function protocolCode(code: string, rpc: Rpc): string {
  if (rpc.system === "grpc") return code;
  return code === "CANCELLED" ? "canceled" : code.toLowerCase();
}
