import { CLIENT_CLOSED_REQUEST } from "@throughline/context/internal";
import { type ProblemResponse, problemResponse, serverRequestOf, problemOf } from "@throughline/http/adapter";

/**
 * The response to an error of this library, such as `DeadlineExceeded` (504); `undefined` for any other error. Use it
 * in the error hook of a framework that catches errors before `requestContext` can, such as Hono's `app.onError`. An
 * error that results from the client's disconnect is answered with an empty 499.
 *
 * @param request the failed request: its span records the error, and its `Accept` selects a problem document, which
 * is the default, or plain text. A HEAD request is answered without a body.
 */
export function answerError(error: unknown, request?: Request): Response | undefined {
  const serverRequest = request === undefined ? undefined : serverRequestOf(request);
  serverRequest?.fail(error);
  return serverRequest?.canIgnore(error) ? clientClosedResponse() : errorResponse(error, request);
}

/** The response to an error of this library, whether or not the client is still connected. */
export function errorResponse(error: unknown, request?: Request): Response | undefined {
  const problem = problemOf(error);
  return problem === undefined
    ? undefined
    : toResponse(problemResponse(problem, true, request && acceptOf(request)), request);
}

/** The response when the client has disconnected. No client reads it; hosts may log its status. */
export function clientClosedResponse(): Response {
  return new Response(null, { status: CLIENT_CLOSED_REQUEST });
}

export function toResponse({ status, headers, body }: ProblemResponse, request?: Request): Response {
  // Node's server throws if a response to HEAD has a body and `rejectNonStandardBodyWrites` is set.
  return new Response(request?.method === "HEAD" ? null : body, { status, headers });
}

export function acceptOf(request: Request): string | undefined {
  return request.headers.get("accept") ?? undefined;
}
