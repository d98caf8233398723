import { current } from "@throughline/context";
import { callable, runRequest } from "@throughline/context/internal";
import { type Guard } from "@throughline/http";
import { nodeHeaders, applyGuard } from "@throughline/http/adapter";

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
