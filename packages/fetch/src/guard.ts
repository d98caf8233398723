import { current } from "@throughline/context";
import { callable, runRequest } from "@throughline/context/internal";
import { type Guard } from "@throughline/http";
import { applyGuard, webHeaders } from "@throughline/http/adapter";

import { answerError } from "./answer-error.ts";
import type { FetchHandler } from "./request-context.ts";

/**
 * Wraps a fetch handler with a guard, inside of `requestContext`. The handler runs in the context that the guard
 * returns. If the guard throws `Unauthenticated` or `Forbidden`, the request is answered with that error, and the
 * handler does not run.
 *
 * @throws TypeError if `guard` or `handler` is not a function
 */
export function guard<Rest extends unknown[] = []>(guard: Guard, handler: FetchHandler<Rest>): FetchHandler<Rest> {
  callable("guard", guard, "make a guard");
  callable("handler", handler, "make a guard");
  return async function guarded(request, ...rest) {
    let ctx;
    try {
      ctx = await applyGuard(guard, webHeaders(request.headers), current());
    } catch (error) {
      const response = answerError(error, request);
      if (response === undefined) throw error;
      return response;
    }
    return runRequest(ctx, handler, request, ...rest);
  };
}
