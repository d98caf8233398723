import type { IncomingMessage, ServerResponse } from "node:http";

import { classifyError, sendProblem } from "@throughline/http/adapter";

/** An error handler as Express 4 and 5 take it. */
export type ErrorMiddleware = (
  error: unknown,
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Answers what this library's errors stand for: a deadline that passed, with 504 and a problem document. Goes after all routes.
 * Every other error goes on, untouched, to the application's own handlers, and so does one that comes when the response has
 * begun: Express then closes the connection. A cancellation whose client is gone ends here, as nobody is left to answer.
 */
export function errorHandler(): ErrorMiddleware {
  return function errorHandler(error, req, res, next) {
    const disposition = classifyError(error, req, res);
    if (disposition === "pass") next(error);
    else if (disposition !== "gone") sendProblem(req, res, disposition, true);
  };
}
