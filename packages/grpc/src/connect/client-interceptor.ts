import type { Interceptor } from "@connectrpc/connect";
import { current, withTimeout } from "@throughline/context";
import { isTracingSuppressed } from "@throughline/context/internal";
import { type ClientOptions, connectTimeout, grpcTimeout } from "@throughline/http";
import { clientSettings, OutboundCall } from "@throughline/http/adapter";

import { misplaced, withCallLimit } from "../interceptor-options.ts";
import { ClientCall } from "./client-call.ts";
import { callError } from "./connect-errors.ts";
import { isGrpc, protocolCode, rpcOf } from "./rpc.ts";

export type ConnectClientOptions = Omit<ClientOptions, "dialect">;

/**
 * Creates an interceptor for clients of Connect. Each call sends the current Context to the next service, in the
 * headers of the protocol that it uses (Connect, gRPC or gRPC-Web). When the context ends, the call ends at once, and
 * the context's own error is the `cause` of its error. A call with less than a millisecond left is not sent. A call's
 * own `timeoutMs` applies if it is earlier. Under suppressed tracing (exports of telemetry) the interceptor does
 * nothing.
 *
 * @throws TypeError, RangeError if an option is wrong, when the interceptor is created
 */
export function clientInterceptor(options: ConnectClientOptions = {}): Interceptor {
  const known = clientSettings(options, "create a client interceptor");
  return (next) => {
    if (typeof next !== "function") throw misplaced("client", "Connect");
    return async (request) => {
      const active = current();
      if (isTracingSuppressed(active)) return next(request);
      const settings = { ...known, dialect: isGrpc(request) ? grpcTimeout : connectTimeout };
      const { dialect, timeout } = settings;
      // Connect has written the call's `timeoutMs` to the header.
      const own = dialect.parse(request.header.get(dialect.header) ?? "");
      const [ctx, cancel] = withCallLimit(active, withTimeout, own, "timeoutMs", timeout);
      const rpc = rpcOf(request);
      const call = {
        method: request.requestMethod,
        url: new URL(request.url),
        attempt: 1,
        isTracedElsewhere: false,
        rpc,
      };
      let outbound: OutboundCall;
      try {
        outbound = OutboundCall.begin(ctx, call, settings);
      } catch (error) {
        cancel?.();
        throw callError(error, ctx);
      }
      for (const [name, value] of outbound.headers) request.header.set(name, value);
      const setCode = (code: string): void => void (rpc.code = protocolCode(code, rpc));
      const clientCall = new ClientCall(ctx, cancel, outbound, request.signal, setCode);
      return clientCall.send((signal) => next({ ...request, signal }));
    };
  };
}
