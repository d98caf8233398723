import { callable, runRequest, current } from "@throughline/context";
import { type Guard, applyGuard, webHeaders } from "@throughline/http";

import { answerError } from "./answer-error.ts";
import type { FetchHandler } from "./request-context.ts";

/**
 * Has a guard decide on each request: the handler runs in the context that it gives. A guard that throws `Unauthenticated` or `Forbidden` has that
 * answered. Goes inside of `requestContext`.
 *
 * @throws TypeError if it is no guard
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
