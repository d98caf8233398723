import type { Interceptor } from "@connectrpc/connect";
import { type Context, current, run } from "@throughline/context";
import { type ServerOptions } from "@throughline/http";
import {
  answerAtDeadline,
  applyGuard,
  createReceiver,
  type IncomingRequest,
  serverRequestIn,
  webHeaders,
} from "@throughline/http/adapter";

import { HandlerWork } from "../handler-work.ts";
import { checkedGuards, type GuardsOption, misplaced } from "../interceptor-options.ts";
import { statusOfProblem } from "../status.ts";
import { connectErrorOf, handlerError } from "./connect-errors.ts";
import { type ConnectRequest, type ConnectResponse, rpcOf } from "./rpc.ts";
import { responseOf, ServerCall } from "./server-call.ts";

export interface ConnectServerOptions
  extends Omit<ServerOptions, "firstByteTimeout" | "idleTimeout" | "trust">, GuardsOption {}

/**
 * Creates an interceptor for handlers of Connect. Each call gets its Context, which is `current()` in the handler,
 * whichever protocol it uses (Connect, gRPC or gRPC-Web). The context ends at the caller's deadline or the server's
 * limit, when the client disconnects, and when the response is sent.
 *
 * Inside a `requestContext` middleware of this library the request has its Context already: the interceptor then
 * applies its guards and maps errors, and its other options have no effect. An interceptor does not see connections, so
 * `trust` is an option of that middleware.
 *
 * It must be the first of `interceptors`, which is the outermost.
 *
 * @throws TypeError, RangeError if an option is wrong, when the interceptor is created
 */
export function serverInterceptor({ guards = [], ...options }: ConnectServerOptions = {}): Interceptor {
  const receive = createReceiver(options);
  const checked = checkedGuards(guards);
  return (next) => {
    if (typeof next !== "function") throw misplaced("server", "Connect");
    return async (request) => {
      const handle = async (ctx: Context): Promise<ConnectResponse> => {
        // The call may have ended in the admission queue or while a guard was pending: no handler runs then.
        ctx.throwIfAborted();
        let within = ctx;
        for (const guard of checked) {
          within = await applyGuard(guard, webHeaders(request.header), within);
          ctx.throwIfAborted();
        }
        return run(within, next, request);
      };
      const outer = current();
      if (serverRequestIn(outer) !== undefined) return respondNested(outer, () => handle(outer));
      const incoming = incomingOf(request);
      const { serverRequest, ctx, decision } = receive(request, () => incoming);
      const call = new ServerCall(serverRequest, incoming.rpc, request.signal);
      return call.respond(ctx, async () => {
        const settled = await decision;
        if (typeof settled === "object") throw connectErrorOf(statusOfProblem(settled, false));
        answerAtDeadline(serverRequest, ctx);
        return handle(ctx);
      });
    };
  };
}

/** Responds to a call whose request a middleware of this library has received: only errors are mapped. */
async function respondNested(ctx: Context, handle: () => Promise<ConnectResponse>): Promise<ConnectResponse> {
  const mapError = (error: unknown): unknown => handlerError(error, ctx);
  try {
    return await responseOf(new HandlerWork(), ctx, handle, { onEnd: () => {}, mapError });
  } catch (error) {
    throw mapError(error);
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
