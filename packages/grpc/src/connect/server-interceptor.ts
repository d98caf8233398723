import type { Interceptor } from "@connectrpc/connect";
import { type Context, current, run } from "@throughline/context";
import { type Guard, type ServerOptions } from "@throughline/http";
import {
  createReceiver,
  answerAtDeadline,
  serverRequestIn,
  type IncomingRequest,
  applyGuard,
  webHeaders,
} from "@throughline/http/adapter";

import { HandlerWork } from "../handler-work.ts";
import { checkedGuards, misplaced } from "../options.ts";
import { statusOfProblem } from "../status.ts";
import { connectErrorOf, outgoing } from "./explained.ts";
import { type ConnectRequest, type ConnectResponse, rpcOf } from "./rpc-of.ts";
import { responseOf, ServedCall } from "./served-call.ts";

export interface ConnectServerOptions extends Omit<ServerOptions, "firstByteTimeout" | "idleTimeout" | "trust"> {
  /** Each decides on a call before its handler, in their order. @default none */
  guards?: readonly Guard[];
}

/**
 * An interceptor for handlers of Connect, whichever of its protocols a call comes by: each gets its Context, which is `current()` in the handler. It
 * ends at the caller's deadline or the server's limit, when the client is gone, and when the answer is out.
 *
 * Inside of a middleware of this library's, which has given the request its Context already, that is the one: the interceptor then only explains
 * errors. Connections are not seen here, so whom to trust is said there.
 *
 * Goes first in `interceptors`, so that it is the outermost.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first call
 */
export function serverInterceptor({ guards = [], ...options }: ConnectServerOptions = {}): Interceptor {
  const receive = createReceiver(options);
  const checked = checkedGuards(guards);
  return (next) => {
    if (typeof next !== "function") throw misplaced("server", "Connect");
    return async (request) => {
      const handle = async (ctx: Context): Promise<ConnectResponse> => {
        // While it waited for its turn, or a guard took its time, it may have ended: then there is nobody to run for.
        ctx.throwIfAborted();
        let within = ctx;
        for (const guard of checked) {
          within = await applyGuard(guard, webHeaders(request.header), within);
          ctx.throwIfAborted();
        }
        return run(within, next, request);
      };
      const outer = current();
      if (serverRequestIn(outer) !== undefined) return explaining(outer, () => handle(outer));
      const incoming = incomingOf(request);
      const { serverRequest, ctx, decision } = receive(request, () => incoming);
      const served = new ServedCall(serverRequest, incoming.rpc, request.signal);
      return served.respond(ctx, async () => {
        const settled = await decision;
        if (typeof settled === "object") throw connectErrorOf(statusOfProblem(settled, false));
        answerAtDeadline(serverRequest, ctx);
        return handle(ctx);
      });
    };
  };
}

async function explaining(ctx: Context, handle: () => Promise<ConnectResponse>): Promise<ConnectResponse> {
  const explain = (error: unknown): unknown => outgoing(error, ctx);
  try {
    return await responseOf(new HandlerWork(), ctx, handle, { over: () => {}, explain });
  } catch (error) {
    throw explain(error);
  }
}

function incomingOf(request: ConnectRequest): IncomingRequest & { rpc: ReturnType<typeof rpcOf> } {
  const url = new URL(request.url);
  return {
    method: request.requestMethod,
    target: url.pathname,
    scheme: url.protocol.slice(0, -1),
    authority: url.host,
    headers: webHeaders(request.header),
    rpc: rpcOf(request),
    remove: (name) => request.header.delete(name),
    replace: (name, value) => request.header.set(name, value),
  };
}
