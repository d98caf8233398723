import { current } from "@throughline/context";
import { callable, runRequest } from "@throughline/context/internal";
import { type Guard } from "@throughline/http";
import { applyGuard, webHeaders } from "@throughline/http/adapter";

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
