import { callable, runRequest } from "@throughline/context/internal";
import { type ServerOptions } from "@throughline/http";
import { createNodeReceiver, answerAtDeadline, problemResponse, applyStreamLimits } from "@throughline/http/adapter";

import { acceptOf, answerError, goneResponse, responseOf } from "./answer-error.ts";
import { FetchIncoming } from "./fetch-incoming.ts";
import { FetchHostResponse } from "./fetch-reply.ts";
import { nodeHostOf } from "./node-host.ts";

/** A handler of the fetch kind. Hosts may pass more arguments, which are passed on. */
export type FetchHandler<Rest extends unknown[]> = (request: Request, ...rest: Rest) => Response | Promise<Response>;

/**
 * Wraps a fetch handler: each request gets its Context, which is `current()` in the handler. It ends at the caller's deadline or
 * the server's limit, when the client goes away (the request's signal, a body given up), and when the body of the response has been
 * read. A request whose time is up on arrival is answered 504, one with a malformed deadline 400, without calling the handler.
 *
 * A deadline that passes is answered with 504 and a problem document, whatever the handler does; in the middle of a body it breaks that
 * off. Every other error is thrown on. Used again
 * for the same request further in, it can only make the deadline earlier.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first request
 */
export function requestContext<Rest extends unknown[] = []>(
  handler: FetchHandler<Rest>,
  options?: ServerOptions,
): (request: Request, ...rest: Rest) => Promise<Response> {
  callable("handler", handler, "make a request context", "call requestContext(handler, options)");
  const receive = createNodeReceiver(options);
  return async function requestContext(request, ...rest) {
    const host = nodeHostOf(request, rest);
    const incoming = new FetchIncoming(request, host);
    const { serverRequest, ctx, decision, isOutermost, settings } = receive(request, () => incoming);
    const hostResponse = isOutermost ? new FetchHostResponse(serverRequest, request, host) : undefined;

    async function answer(): Promise<Response> {
      // Without a queue the handler is called at once, as without this middleware.
      const settled = decision instanceof Promise ? await decision : decision;
      // Whatever is returned, there is no client to read it.
      if (settled === "gone") return goneResponse();
      if (settled !== "run") return responseOf(problemResponse(settled, !isOutermost, acceptOf(request)), request);
      applyStreamLimits(serverRequest, settings);
      answerAtDeadline(serverRequest, ctx);
      try {
        const work = runRequest(ctx, handler, incoming.handlersRequest(), ...rest);
        if (work instanceof Promise) serverRequest.track(work);
        return await work;
      } catch (error) {
        const response = answerError(error, request);
        if (response === undefined) throw error;
        return response;
      }
    }
    return hostResponse === undefined ? answer() : hostResponse.respond(answer);
  };
}
