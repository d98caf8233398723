import type { IncomingMessage, ServerResponse } from "node:http";

import { current } from "@throughline/context";
import { callable, runRequest } from "@throughline/context/internal";
import { type Guard } from "@throughline/http";
import { nodeHeaders, applyGuard } from "@throughline/http/adapter";

import type { Middleware } from "./request-context.ts";

/**
 * Express middleware that calls a guard for each request. Later handlers run in the context that the guard returns. An
 * error of the guard goes to the error handlers; `errorHandler` answers `Unauthenticated` with 401 and `Forbidden` with
 * 403. Use it after `requestContext`.
 *
 * @throws TypeError if `guard` is not a function
 */
export function guard(guard: Guard): Middleware {
  callable("guard", guard, "make a guard");
  return async function guarded(req: IncomingMessage, _res: ServerResponse, next) {
    let ctx;
    try {
      ctx = await applyGuard(guard, nodeHeaders(req), current());
    } catch (error) {
      return next(error);
    }
    runRequest(ctx, next);
  };
}
