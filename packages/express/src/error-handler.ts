import type { IncomingMessage, ServerResponse } from "node:http";

import { classifyError, sendProblem } from "@throughline/http/adapter";

/** Error middleware for Express 4 and 5. */
export type ErrorMiddleware = (
  error: unknown,
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Express error middleware that answers the errors of this library with a problem document: a deadline that passed with
 * 504, overload with 503, `Unauthenticated` with 401, `Forbidden` with 403. Use it after all routes.
 *
 * It passes all other errors to the next error handler, and also an error after the response has begun, for which
 * Express closes the connection. A cancellation is ignored if the client has left.
 */
export function errorHandler(): ErrorMiddleware {
  return function errorHandler(error, req, res, next) {
    const disposition = classifyError(error, req, res);
    if (disposition === "pass") next(error);
    else if (disposition !== "gone") sendProblem(req, res, disposition, true);
  };
}
