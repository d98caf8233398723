import { run } from "@throughline/context";
import {
  acceptor,
  type Exchange,
  type IncomingRequest,
  type Problem,
  problemHeaders,
  problemOf,
  type ServerOptions,
  webHeaders,
} from "@throughline/http";

import { watchedBody } from "./watched-body.ts";

/** A handler of the fetch kind. Hosts may pass more arguments, which are passed on. */
export type FetchHandler<Rest extends unknown[]> = (request: Request, ...rest: Rest) => Response | Promise<Response>;

/**
 * Wraps a fetch handler: each request gets its Context, which is `current()` in the handler. It ends at the caller's deadline or
 * the server's limit, when the client goes away (the request's signal, a body given up), and when the body of the response has been
 * read. A request whose time is up on arrival is answered 504, one with a malformed deadline 400, without calling the handler.
 *
 * A deadline that passes inside the handler is answered with 504 and a problem document; every other error is thrown on.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first request
 */
export function requestContext<Rest extends unknown[] = []>(
  handler: FetchHandler<Rest>,
  options?: ServerOptions,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const accepts = acceptor(options);
  return async function requestContext(request, ...rest) {
    const exchange = accepts.accept(incoming(request));
    if (exchange.refusal !== undefined) return finished(exchange, answer(exchange.refusal, false));
    const gone = (): void => exchange.disconnect();
    const { signal } = request;
    if (signal.aborted) gone();
    signal.addEventListener("abort", gone, { once: true });
    try {
      return watched(exchange, await run(exchange.ctx, handler, request, ...rest));
    } catch (error) {
      const problem = problemOf(error);
      if (problem === undefined) {
        exchange.abort(error);
        throw error;
      }
      return finished(exchange, answer(problem, true));
    }
  };
}

function answer(problem: Problem, started: boolean): Response {
  return new Response(JSON.stringify(problem), { status: problem.status, headers: problemHeaders(problem, started) });
}

/** A response of ours, which is out as good as at once. */
function finished(exchange: Exchange, response: Response): Response {
  exchange.finish(response.status);
  return response;
}

/** The response, which ends its exchange when its body has been read. */
function watched(exchange: Exchange, response: Response): Response {
  if (response.body === null) return finished(exchange, response);
  const body = watchedBody(response.body, {
    read: () => exchange.finish(response.status),
    canceled: () => exchange.disconnect(),
    failed: (error) => exchange.abort(error),
  });
  return new Response(body, response);
}

function incoming(request: Request): IncomingRequest {
  const url = new URL(request.url);
  return {
    method: request.method,
    target: url.pathname + url.search,
    scheme: url.protocol.slice(0, -1),
    authority: url.host,
    headers: webHeaders(request.headers),
  };
}
