import { afterFunc, DeadlineExceeded, run } from "@throughline/context";
import {
  acceptor,
  type Exchange,
  followNode,
  type IncomingRequest,
  type Problem,
  problemHeaders,
  problemOf,
  type ServerOptions,
  webHeaders,
} from "@throughline/http";

import { nodeHostOf } from "./node-host.ts";
import { rebodied } from "./rebodied.ts";
import { watchedBody } from "./watched-body.ts";

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
    if (!isFirst) return answer();
    const host = nodeHostOf(request, rest);
    // It tells better than a request's signal and a body, which a host does not read for HEAD.
    if (host !== undefined) followNode(exchange, host.req, host.res);
    return follow(exchange, request.signal, answer);
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
    response = await answerInTime(exchange, answer());
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
  // From here on a head is out: a deadline breaks the body off, which must not end as if it were whole. (What says that the time is up
  // may go out after it.)
  if (exchange.refusal === undefined && exchange.ctx.err() === undefined) {
    afterFunc(exchange.ctx, () => {
      const error = deadlineOf(exchange);
      if (error !== undefined) body.breakOff(error);
    });
  }
  return rebodied(response, body.stream);
}

/** The handler's answer, or ours if its deadline passes before. An answer that comes too late is given up. */
function answerInTime(exchange: Exchange, answer: Promise<Response>): Promise<Response> {
  const { ctx, refusal } = exchange;
  if (refusal !== undefined || ctx.remaining() === Infinity) return answer;
  return new Promise((resolve, reject) => {
    const stop = afterFunc(ctx, () => {
      const error = deadlineOf(exchange);
      if (error === undefined) return;
      exchange.fail(error);
      resolve(answerError(error)!);
      answer.then((late) => late.body?.cancel(error)).catch(() => {});
    });
    answer.then(resolve, reject).finally(stop);
  });
}

function deadlineOf({ ctx }: Exchange): DeadlineExceeded | undefined {
  const error = ctx.err();
  return error instanceof DeadlineExceeded ? error : undefined;
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
