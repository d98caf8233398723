import type { ServerInterceptor } from "@grpc/grpc-js";
import { type ServerOptions } from "@throughline/http";
import { createReceiver } from "@throughline/http/adapter";

import { observeHandlers } from "./handler-observer.ts";
import { checkedGuards, type GuardsOption, misplaced } from "./interceptor-options.ts";
import { rememberTimeouts } from "./received-timeout.ts";
import { ServerCall, serverCallOf } from "./server-call.ts";

export interface GrpcServerOptions extends ServerOptions, GuardsOption {}

/**
 * Creates an interceptor for servers of grpc-js. Each call gets its Context, which is `current()` in the handler and in
 * the listeners of its stream. The context ends at the caller's deadline or the server's limit (DEADLINE_EXCEEDED),
 * when the client cancels or disconnects, and when the status is sent. A call whose deadline has passed on arrival gets
 * DEADLINE_EXCEEDED, a call with a malformed `grpc-timeout` gets INTERNAL; no handler runs.
 *
 * It must be the first of `interceptors`, which is the nearest to the wire.
 *
 * @throws TypeError, RangeError if an option is wrong, when the interceptor is created
 */
export function serverInterceptor({ guards = [], ...options }: GrpcServerOptions = {}): ServerInterceptor {
  const receive = createReceiver(options);
  const checked = checkedGuards(guards);
  rememberTimeouts();
  observeHandlers(serverCallOf);
  return (method, call) => {
    if (typeof method?.path !== "string" || typeof call?.start !== "function") {
      throw misplaced("server", "@grpc/grpc-js");
    }
    return new ServerCall(receive, checked, method, call);
  };
}
