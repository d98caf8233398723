import { current } from "@throughline/context";
import { callable, runRequest } from "@throughline/context/internal";
import { type Guard } from "@throughline/http";
import { applyGuard, nodeHeaders } from "@throughline/http/adapter";
import type { preHandlerHookHandler } from "fastify";

/**
 * Fastify hook that calls a guard for each request, for `preHandler` or any earlier hook. Later hooks and the handler
 * run in the context that the guard returns. The plugin, which must be registered before, answers an `Unauthenticated`
 * of the guard with 401 and a `Forbidden` with 403.
 *
 * @throws TypeError if `guard` is not a function
 */
export function guard(guard: Guard): preHandlerHookHandler {
  callable("guard", guard, "make a guard");
  return function guarded(request, _reply, next) {
    applyGuard(guard, nodeHeaders(request.raw), current()).then((ctx) => runRequest(ctx, next), next);
  };
}
