import type { IncomingMessage, ServerResponse } from "node:http";

import { current } from "@throughline/context";
import { callable, runRequest } from "@throughline/context/internal";
import { type Guard } from "@throughline/http";
import { nodeHeaders, applyGuard } from "@throughline/http/adapter";

import type { Middleware } from "./request-context.ts";

/**
 * Has a guard decide on each request: what follows runs in the context that it gives. What it throws goes to the error handlers, of which
 * `errorHandler` answers 401 and 403. Goes after `requestContext`.
 *
 * @throws TypeError if it is no guard
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
