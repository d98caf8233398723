import type { CanActivate, ExecutionContext } from "@nestjs/common";
import { current, run } from "@throughline/context";
import { callable } from "@throughline/context/internal";
import type { Guard } from "@throughline/http";
import { applyGuard, nodeHeaders, serverRequestIn } from "@throughline/http/adapter";

import { rawOf } from "./request-context.ts";

/**
 * Nest guard that calls a guard of this library, for `@UseGuards(guard(fn))` or `app.useGlobalGuards(guard(fn))`. Later
 * guards, interceptors, pipes and the handler run in the context that it returns. An `Unauthenticated` is answered with
 * 401 and a `Forbidden` with 403. It works for HTTP and for GraphQL over HTTP.
 *
 * @throws TypeError if `guard` is not a function
 */
export function guard(guard: Guard): CanActivate {
  callable("guard", guard, "make a guard");
  return {
    async canActivate(execution: ExecutionContext): Promise<boolean> {
      const headers = nodeHeaders(requestOf(execution));
      // Nest runs all guards in the same context; that of the guard before is the one that was entered last.
      const ctx = serverRequestIn(current())?.entered ?? current();
      await run(ctx, () => applyGuard(guard, headers, ctx));
      return true;
    },
  };
}

type RequestWithHeaders = Parameters<typeof nodeHeaders>[0];

function requestOf(execution: ExecutionContext): RequestWithHeaders {
  const type = execution.getType<string>();
  // GraphQL's third argument is the context of the operation.
  const request: unknown =
    type === "graphql" ? execution.getArgByIndex<{ req?: unknown }>(2)?.req : execution.getArgByIndex(0);
  const raw = rawOf(request ?? {}) as Partial<RequestWithHeaders>;
  if ((type !== "http" && type !== "graphql") || raw.headers === undefined) {
    throw new TypeError(
      `Cannot call a guard: it needs an HTTP request; received an execution context of type '${type}'`,
    );
  }
  return raw as RequestWithHeaders;
}
