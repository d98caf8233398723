import { type Answer, answerOf, problemOf } from "@throughline/http";

/**
 * The answer to an error that is this library's to explain, such as a deadline that passed: for the error hook of a framework that
 * catches errors before `requestContext` can, as Hono's `app.onError` does. `undefined` for any other error.
 *
 * @param request tells by its `Accept` whether a problem document is of use, and by its method whether a body is; if it is left out, they are
 */
export function answerError(error: unknown, request?: Request): Response | undefined {
  const problem = problemOf(error);
  return problem === undefined ? undefined : responseOf(answerOf(problem, true, request && acceptOf(request)), request);
}

export function responseOf({ status, headers, body }: Answer, request?: Request): Response {
  // Node's server throws where a HEAD is given a body, if it has `rejectNonStandardBodyWrites`.
  return new Response(request?.method === "HEAD" ? null : body, { status, headers });
}

export function acceptOf(request: Request): string | undefined {
  return request.headers.get("accept") ?? undefined;
}
