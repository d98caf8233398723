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

import { rebodied } from "./rebodied.ts";
import { watchedBody } from "./watched-body.ts";

/** A handler of the fetch kind. Hosts may pass more arguments, which are passed on. */
export type FetchHandler<Rest extends unknown[]> = (request: Request, ...rest: Rest) => Response | Promise<Response>;

/**
 * Wraps a fetch handler: each request gets its Context, which is `current()` in the handler. It ends at the caller's deadline or
 * the server's limit, when the client goes away (the request's signal, a body given up), and when the body of the response has been
 * read. A request whose time is up on arrival is answered 504, one with a malformed deadline 400, without calling the handler.
 *
 * A deadline that passes inside the handler is answered with 504 and a problem document; every other error is thrown on. Used again
 * for the same request further in, it can only make the deadline earlier.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first request
 */
export function requestContext<Rest extends unknown[] = []>(
  handler: FetchHandler<Rest>,
  options?: ServerOptions,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const accept = acceptor(options);
  return async function requestContext(request, ...rest) {
    const { exchange, ctx, refusal, isFirst } = accept(request, () => incoming(request));
    const answer = async (): Promise<Response> => {
      if (refusal !== undefined) return problemResponse(refusal, !isFirst);
      try {
        return await run(ctx, handler, request, ...rest);
      } catch (error) {
        exchange.fail(error);
        const response = answerError(error);
        if (response === undefined) throw error;
        return response;
      }
    };
    return isFirst ? follow(exchange, request.signal, answer) : answer();
  };
}

/**
 * The answer to an error that is this library's to explain, such as a deadline that passed: for the error hook of a framework that
 * catches errors before `requestContext` can, as Hono's `app.onError` does. `undefined` for any other error.
 */
export function answerError(error: unknown): Response | undefined {
  const problem = problemOf(error);
  return problem === undefined ? undefined : problemResponse(problem, true);
}

function problemResponse(problem: Problem, started: boolean): Response {
  return new Response(JSON.stringify(problem), { status: problem.status, headers: problemHeaders(problem, started) });
}

/** Has the exchange told of its end: when the body has been read, or cannot be, or when there is nobody left to read it. */
async function follow(exchange: Exchange, signal: AbortSignal, answer: () => Promise<Response>): Promise<Response> {
  const gone = (): void => exchange.end({ isDelivered: false });
  if (signal.aborted) gone();
  else signal.addEventListener("abort", gone, { once: true });
  let response: Response;
  try {
    response = await answer();
  } catch (error) {
    gone();
    throw error;
  }
  const { status } = response;
  if (response.body === null) {
    exchange.end({ isDelivered: true, status });
    return response;
  }
  const body = watchedBody(response.body, (end) => {
    if (end.how === "failed") exchange.fail(end.error);
    exchange.end({ isDelivered: end.how === "read", status });
  });
  return rebodied(response, body);
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
