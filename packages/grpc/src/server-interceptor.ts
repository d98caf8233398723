import type { ServerInterceptor } from "@grpc/grpc-js";
import { type Guard, type ServerOptions } from "@throughline/http";
import { createReceiver } from "@throughline/http/adapter";

import { checkedGuards, misplaced } from "./options.ts";
import { rememberTimeouts } from "./received-timeout.ts";
import { servedBy, ServedCall } from "./served-call.ts";
import { watchHandlers } from "./watched-handlers.ts";

export interface GrpcServerOptions extends ServerOptions {
  /** Each decides on a call before its handler, in their order, as `bearer` of `@throughline/identity` does. @default none */
  guards?: readonly Guard[];
}

/**
 * An interceptor for servers of grpc-js: each call gets its Context, which is `current()` in the handler and in what its messages start. It
 * ends at the caller's deadline or the server's limit (DEADLINE_EXCEEDED), when the client cancels or is gone, and when the status is out. A
 * call whose time is up on arrival gets DEADLINE_EXCEEDED, one with a malformed `grpc-timeout` INTERNAL, and no handler runs.
 *
 * Goes first in `interceptors`: it is then the nearest to the wire.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first call
 */
export function serverInterceptor({ guards = [], ...options }: GrpcServerOptions = {}): ServerInterceptor {
  const receive = createReceiver(options);
  const checked = checkedGuards(guards);
  rememberTimeouts();
  watchHandlers(servedBy);
  return (method, call) => {
    if (typeof method?.path !== "string" || typeof call?.start !== "function") {
      throw misplaced("server", "@grpc/grpc-js");
    }
    return new ServedCall(receive, checked, method, call);
  };
}
