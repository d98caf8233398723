// tRPC: procedures run with the Context of their request. One that is late gets an error of its own, so that the other
// calls of its batch are answered.
import type { RequestListener } from "node:http";

import { current, DeadlineExceeded, run } from "@throughline/context";
import { requestContext, type ServerOptions } from "@throughline/http";
import { type AnyTRPCRouter, initTRPC, TRPCError } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";

import { withMargin } from "./with-margin.ts";

export const trpc = initTRPC.create();

/** A procedure that waits with `current()`. The context ends shortly before that of the request. */
export const procedure = trpc.procedure.use(async ({ next }) => {
  const [ctx, cancel] = withMargin(current());
  try {
    const result = await run(ctx, () => next());
    if (result.ok || !(result.error.cause instanceof DeadlineExceeded)) return result;
    throw new TRPCError({ code: "GATEWAY_TIMEOUT", message: "Deadline exceeded", cause: result.error.cause });
  } finally {
    cancel();
  }
});

/**
 * A listener for `node:http`. With Express, use the middleware `requestContext` before tRPC's; with the fetch adapter,
 * `requestContext` of `@throughline/fetch` around `fetchRequestHandler`.
 */
export function trpcListener(router: AnyTRPCRouter, options?: ServerOptions): RequestListener {
  return requestContext(createHTTPHandler({ router }), options);
}
