import { Client, InterceptingCall, type Interceptor, type InterceptorOptions } from "@grpc/grpc-js";
import { type Context, current, withDeadline } from "@throughline/context";
import { isTracingSuppressed } from "@throughline/context/internal";
import { type ClientOptions, grpcTimeout } from "@throughline/http";
import { clientSettings, remainingDownstream } from "@throughline/http/adapter";

import { ClientCall } from "./client-call.ts";
import { misplaced, withCallLimit } from "./interceptor-options.ts";
import { addressResolver } from "./target.ts";

export interface GrpcClientOptions extends Omit<ClientOptions, "dialect"> {
  /**
   * Whether the channel uses TLS. It decides the scheme of the target that `origins` are matched with: `https` or
   * `http`.
   *
   * @default false
   */
  tls?: boolean;
}

/**
 * Creates an interceptor for clients of grpc-js. Each call sends the current Context to the next service: the remaining
 * time, the trace, and the values that may go there. When the context ends, the call ends at once with code 4 or 1, and
 * the context's own error is the `cause` of its error. A call with less than a millisecond left is not sent.
 *
 * The target of the channel decides which values are sent; behind an HTTP proxy, the service that the proxy connects
 * to. The call option `host` does not: it only sets the `:authority` that the server reads.
 *
 * A call's own `deadline` applies if it is earlier. grpc-js uses one deadline for the header and for its own timer, so
 * a large `margin` ends the call earlier on this side too. Under suppressed tracing (exports of telemetry) the
 * interceptor does nothing.
 *
 * @throws TypeError, RangeError if an option is wrong, when the interceptor is created
 */
export function clientInterceptor({ tls = false, ...options }: GrpcClientOptions = {}): Interceptor {
  const settings = { ...clientSettings(options, "create a client interceptor"), dialect: UNUSED_DIALECT };
  const addressOf = addressResolver(tls);
  return (callOptions, nextCall) => {
    if (callOptions?.method_definition === undefined || typeof nextCall !== "function") {
      throw misplaced("client", "@grpc/grpc-js");
    }
    const active = current();
    if (isTracingSuppressed(active)) return new InterceptingCall(nextCall(callOptions));
    const { timeout } = settings;
    const until = timeout === undefined ? undefined : Date.now() + timeout;
    const [ctx, cancel] = withCallLimit(active, withDeadline, ownDeadline(callOptions), "deadline", until);
    const call = nextCall(withDeadlineOf(ctx, settings.margin, callOptions));
    const { path } = callOptions.method_definition;
    const request = {
      method: "POST",
      url: addressOf(call, path),
      attempt: 1,
      isTracedElsewhere: isClientTraced(),
      rpc: { system: "grpc", method: path.slice(1), isTracedElsewhere: false, code: undefined },
    } as const;
    return new ClientCall(ctx, cancel, request, settings, call);
  };
}

/** grpc-js writes the `grpc-timeout` header itself, so no value is formatted for it. */
const UNUSED_DIALECT: typeof grpcTimeout = { ...grpcTimeout, format: () => "" };

/** The call option `deadline`, in milliseconds since the epoch. */
function ownDeadline({ deadline }: InterceptorOptions): number | undefined {
  return deadline === undefined || deadline === Infinity ? undefined : Number(deadline);
}

/**
 * Sets the deadline that grpc-js enforces and sends. It includes a deadline that is only passed on (mode `propagate`,
 * or a server that drains).
 */
function withDeadlineOf(ctx: Context, margin: number, callOptions: InterceptorOptions): InterceptorOptions {
  const left = Math.min(ctx.remaining(), remainingDownstream(ctx)) - margin;
  return left === Infinity ? callOptions : { ...callOptions, deadline: Date.now() + Math.max(1, left) };
}

/** Whether OpenTelemetry's instrumentation creates the CLIENT spans and writes the trace headers. */
function isClientTraced(): boolean {
  return (Client.prototype.makeUnaryRequest as { __wrapped?: boolean }).__wrapped === true;
}
