import { callable, runRequest, current } from "@throughline/context";
import { type Guard, nodeHeaders, applyGuard } from "@throughline/http";

import type { Middleware } from "./request-context.ts";

/**
 * Has a guard decide on each request: what follows runs in the context that it gives. What it throws is answered by `requestContext`, which goes
 * before it.
 *
 * @throws TypeError if it is no guard
 */
export function guard(guard: Guard): Middleware {
  callable("guard", guard, "make a guard");
  return async function guarded(koa, next) {
    await runRequest(await applyGuard(guard, nodeHeaders(koa.req), current()), next);
  };
}
