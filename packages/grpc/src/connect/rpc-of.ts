import type { Interceptor } from "@connectrpc/connect";
import type { Rpc } from "@throughline/http/adapter";

/** A request as Connect's interceptors have it, on either side. */
export type ConnectRequest = Parameters<ReturnType<Interceptor>>[0];
export type ConnectResponse = Awaited<ReturnType<ReturnType<Interceptor>>>;

/** Whichever protocol it goes by: Connect's own, gRPC or gRPC-Web, which have their deadlines in another header. */
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

/** The name of a code as the protocol writes it: `deadline_exceeded` for Connect, `DEADLINE_EXCEEDED` for gRPC. */
export function written(code: string, rpc: Rpc): string {
  if (rpc.system === "grpc") return code;
  return code === "CANCELLED" ? "canceled" : code.toLowerCase();
}
