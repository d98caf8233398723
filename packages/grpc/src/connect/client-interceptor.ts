import type { Interceptor } from "@connectrpc/connect";
import { type CancelFunc, type Context, current, withTimeout } from "@throughline/context";
import { isTracingSuppressed } from "@throughline/context/internal";
import { type ClientOptions, connectTimeout, grpcTimeout } from "@throughline/http";
import { clientSettings, OutboundCall } from "@throughline/http/adapter";

import { misplaced } from "../options.ts";
import { incoming } from "./explained.ts";
import { MadeCall } from "./made-call.ts";
import { type ConnectRequest, isGrpc, rpcOf, written } from "./rpc-of.ts";

export type ConnectClientOptions = Omit<ClientOptions, "dialect">;

/**
 * An interceptor for clients of Connect: each call carries the current Context to the next service, in the headers of whichever protocol it goes by. When
 * the context ends, so does the call, at once, with the context's own error object as the `cause`. With less than a millisecond to give it
 * is not sent. A call's own `timeoutMs` holds if it is earlier. Under suppressed tracing it does nothing.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first call
 */
export function clientInterceptor(options: ConnectClientOptions = {}): Interceptor {
  const known = clientSettings(options, "create a client interceptor");
  return (next) => {
    if (typeof next !== "function") throw misplaced("client", "Connect");
    return async (request) => {
      const active = current();
      if (isTracingSuppressed(active)) return next(request);
      const settings = { ...known, dialect: isGrpc(request) ? grpcTimeout : connectTimeout };
      const [ctx, cancel] = limited(active, request, settings.dialect, settings.timeout);
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
        throw incoming(error, ctx);
      }
      for (const [name, value] of outbound.headers) request.header.set(name, value);
      const tell = (code: string): void => void (rpc.code = written(code, rpc));
      return new MadeCall(ctx, cancel, outbound, request.signal, tell).send((signal) => next({ ...request, signal }));
    };
  };
}

/** Under the limits that the call and the client have of their own, if they have any. */
function limited(
  ctx: Context,
  { header }: ConnectRequest,
  dialect: typeof grpcTimeout,
  timeout: number | undefined,
): [Context, CancelFunc | undefined] {
  const own = dialect.parse(header.get(dialect.header) ?? "");
  if (own === undefined && timeout === undefined) return [ctx, undefined];
  const isOwn = own !== undefined && own <= (timeout ?? Infinity);
  return withTimeout(ctx, isOwn ? own : timeout!, { source: isOwn ? "timeoutMs" : "timeout" });
}
