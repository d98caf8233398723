import { callable, runRequest } from "@throughline/context/internal";
import { type ServerOptions } from "@throughline/http";
import { createNodeReceiver, answerAtDeadline, problemResponse, applyStreamLimits } from "@throughline/http/adapter";

import { acceptOf, answerError, clientClosedResponse, toResponse } from "./answer-error.ts";
import { FetchIncoming, nodeHostOf } from "./fetch-incoming.ts";
import { FetchHostResponse } from "./fetch-response.ts";

/** A fetch handler. Arguments after the request, which some hosts pass, are passed on. */
export type FetchHandler<Rest extends unknown[]> = (request: Request, ...rest: Rest) => Response | Promise<Response>;

/**
 * Wraps a fetch handler so that each request has its own Context, which is `current()` in the handler. The context
 * ends at the caller's deadline or at the server's limit, when the client disconnects (the request's signal aborts,
 * or the body is canceled), and when the response body has been read. A request that has no time left on arrival is
 * answered with 504, one with a malformed deadline with 400; the handler does not run.
 *
 * At the deadline the request is answered with 504 and a problem document, even if the handler goes on; a body that
 * has begun is aborted. Other errors are thrown to the host. A second `requestContext` for the same request can only
 * shorten the deadline.
 *
 * @throws TypeError, RangeError if an option is invalid
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
      // Awaits only a queued request: without a queue the handler starts synchronously, as without this wrapper.
      const settled = decision instanceof Promise ? await decision : decision;
      if (settled === "gone") return clientClosedResponse();
      if (settled !== "run") return toResponse(problemResponse(settled, !isOutermost, acceptOf(request)), request);
      applyStreamLimits(serverRequest, settings);
      answerAtDeadline(serverRequest, ctx);
      try {
        const work = runRequest(ctx, handler, incoming.requestForHandler(), ...rest);
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
