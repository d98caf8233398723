import { answerError } from "@throughline/fetch";
import type { ErrorHandler } from "hono";

/**
 * Error handler for `app.onError` that answers the errors of this library with a problem document: a deadline that
 * passed with 504, overload with 503, `Unauthenticated` with 401, `Forbidden` with 403. All other errors go to
 * `otherwise`, which by default does what Hono does: it sends the response of an `HTTPException`, and logs any other
 * error and answers 500.
 */
export function errorHandler(otherwise: ErrorHandler = honoErrorHandler): ErrorHandler {
  return function errorHandler(error, hono) {
    return answerError(error, hono.req.raw) ?? otherwise(error, hono);
  };
}

const honoErrorHandler: ErrorHandler = (error, hono) => {
  if ("getResponse" in error) {
    const response = error.getResponse();
    return hono.newResponse(response.body, response);
  }
  console.error(error);
  return hono.text("Internal Server Error", 500);
};
