import { current } from "@throughline/context";
import { callable, runRequest } from "@throughline/context/internal";
import { type Guard } from "@throughline/http";
import { nodeHeaders, applyGuard } from "@throughline/http/adapter";

import type { Middleware } from "./request-context.ts";

/**
 * Koa middleware that calls a guard for each request. Later middlewares run in the context that the guard returns.
 * `requestContext`, which must come before, answers an `Unauthenticated` of the guard with 401 and a `Forbidden` with
 * 403.
 *
 * @throws TypeError if `guard` is not a function
 */
export function guard(guard: Guard): Middleware {
  callable("guard", guard, "make a guard");
  return async function guarded(koa, next) {
    await runRequest(await applyGuard(guard, nodeHeaders(koa.req), current()), next);
  };
}
