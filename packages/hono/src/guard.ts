import { current } from "@throughline/context";
import { callable, runRequest } from "@throughline/context/internal";
import { answerError } from "@throughline/fetch";
import { type Guard } from "@throughline/http";
import { applyGuard, webHeaders } from "@throughline/http/adapter";
import type { MiddlewareHandler } from "hono";

/**
 * Hono middleware that calls a guard for each request. Later handlers run in the context that the guard returns. If the
 * guard throws `Unauthenticated` or `Forbidden`, the request is answered with that error. Use it after
 * `requestContext`.
 *
 * @throws TypeError if `guard` is not a function
 */
export function guard(guard: Guard): MiddlewareHandler {
  callable("guard", guard, "make a guard");
  return async function guarded(hono, next) {
    const request = hono.req.raw;
    let ctx;
    try {
      ctx = await applyGuard(guard, webHeaders(request.headers), current());
    } catch (error) {
      const response = answerError(error, request);
      if (response === undefined) throw error;
      return response;
    }
    await runRequest(ctx, next);
    return undefined;
  };
}
