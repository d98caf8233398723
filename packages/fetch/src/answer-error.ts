import { CLIENT_CLOSED_REQUEST } from "@throughline/context/internal";
import { type ProblemResponse, problemResponse, serverRequestOf, problemOf } from "@throughline/http/adapter";

/**
 * The answer to an error that is this library's to explain, such as a deadline that passed: for the error hook of a framework that
 * catches errors before `requestContext` can, as Hono's `app.onError` does. An error that only results from the client's leaving is answered with an
 * empty 499. `undefined` for any other error.
 *
 * @param request the request that failed: its span gets the error. Its `Accept` decides between a problem document, which is the default, and text;
 * a HEAD is answered without a body
 */
export function answerError(error: unknown, request?: Request): Response | undefined {
  const serverRequest = request === undefined ? undefined : serverRequestOf(request);
  serverRequest?.fail(error);
  return serverRequest?.isMoot(error) ? goneResponse() : errorResponse(error, request);
}

/** The answer to an error that is this library's to explain, whether or not there is still a client. */
export function errorResponse(error: unknown, request?: Request): Response | undefined {
  const problem = problemOf(error);
  return problem === undefined
    ? undefined
    : responseOf(problemResponse(problem, true, request && acceptOf(request)), request);
}

/** For logs of the host: there is no client to read it. */
export function goneResponse(): Response {
  return new Response(null, { status: CLIENT_CLOSED_REQUEST });
}

export function responseOf({ status, headers, body }: ProblemResponse, request?: Request): Response {
  // Node's server throws where a HEAD is given a body, if it has `rejectNonStandardBodyWrites`.
  return new Response(request?.method === "HEAD" ? null : body, { status, headers });
}

export function acceptOf(request: Request): string | undefined {
  return request.headers.get("accept") ?? undefined;
}
