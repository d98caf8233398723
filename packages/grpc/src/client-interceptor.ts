import { Client, InterceptingCall, type Interceptor, type InterceptorOptions } from "@grpc/grpc-js";
import { type CancelFunc, type Context, current, withDeadline } from "@throughline/context";
import { isTracingSuppressed } from "@throughline/context/internal";
import { type ClientOptions, grpcTimeout } from "@throughline/http";
import { clientSettings, remainingDownstream } from "@throughline/http/adapter";

import { MadeCall } from "./made-call.ts";
import { misplaced } from "./options.ts";
import { addressesOf } from "./target.ts";

export interface GrpcClientOptions extends Omit<ClientOptions, "dialect"> {
  /** Whether the channel has TLS: `origins` are then to be written with https. @default false */
  tls?: boolean;
}

/**
 * An interceptor for clients of grpc-js: each call carries the current Context to the next service: the time that is left, the trace, the end, and
 * what may go there. When the context ends, so does the call, at once: its error has the context's own error object as its `cause`, and code
 * 4 or 1. With less than a millisecond to give it is not sent.
 *
 * What may go there is decided by the target of the channel, behind a proxy too. The call option `host` only sets the `:authority` that the server
 * reads.
 *
 * A call's own `deadline` holds if it is earlier. grpc-js has one clock for what it sends and for itself: with a large `margin` the call ends that much
 * earlier here too. Under suppressed tracing, as in exports of telemetry, it does nothing.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first call
 */
export function clientInterceptor({ tls = false, ...options }: GrpcClientOptions = {}): Interceptor {
  const settings = { ...clientSettings(options, "create a client interceptor"), dialect: UNWRITTEN };
  const addressOf = addressesOf(tls);
  return (callOptions, nextCall) => {
    if (callOptions?.method_definition === undefined || typeof nextCall !== "function") {
      throw misplaced("client", "@grpc/grpc-js");
    }
    const active = current();
    if (isTracingSuppressed(active)) return new InterceptingCall(nextCall(callOptions));
    const [ctx, cancel] = limited(active, callOptions, settings.timeout);
    const call = nextCall(withDeadlineOf(ctx, settings.margin, callOptions));
    const { path } = callOptions.method_definition;
    const request = {
      method: "POST",
      url: addressOf(call, path),
      attempt: 1,
      isTracedElsewhere: isClientTraced(),
      rpc: { system: "grpc", method: path.slice(1), isTracedElsewhere: false, code: undefined },
    } as const;
    return new MadeCall(ctx, cancel, request, settings, call);
  };
}

/** grpc-js writes the deadline itself: what would be written here is not used. */
const UNWRITTEN: typeof grpcTimeout = { ...grpcTimeout, format: () => "" };

/** Under the limits that the call and the client have of their own, if they have any. */
function limited(
  ctx: Context,
  { deadline }: InterceptorOptions,
  timeout: number | undefined,
): [Context, CancelFunc | undefined] {
  const own = deadline === undefined || deadline === Infinity ? undefined : Number(deadline);
  const ours = timeout === undefined ? undefined : Date.now() + timeout;
  if (own === undefined && ours === undefined) return [ctx, undefined];
  const isOwn = own !== undefined && own <= (ours ?? Infinity);
  return withDeadline(ctx, isOwn ? own : ours!, { source: isOwn ? "deadline" : "timeout" });
}

/** With the deadline that grpc-js keeps, and writes for the next service when the call leaves: what is only passed on must be its too. */
function withDeadlineOf(ctx: Context, margin: number, callOptions: InterceptorOptions): InterceptorOptions {
  const left = Math.min(ctx.remaining(), remainingDownstream(ctx)) - margin;
  return left === Infinity ? callOptions : { ...callOptions, deadline: Date.now() + Math.max(1, left) };
}

/** Whether OpenTelemetry's instrumentation makes the CLIENT spans, and writes the trace. */
function isClientTraced(): boolean {
  return (Client.prototype.makeUnaryRequest as { __wrapped?: boolean }).__wrapped === true;
}
