import type { IncomingMessage, ServerResponse } from "node:http";

import { run } from "@throughline/context";
import {
  acceptNode,
  acceptor,
  canceledBy,
  type Problem,
  problemHeaders,
  problemOf,
  type ServerOptions,
} from "@throughline/http";

/** As much of a Koa context as is needed, so that this fits Koa 2 and 3. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  status: number;
  body: unknown;
  readonly headerSent: boolean;
  set(headers: Record<string, string>): void;
}

export type Middleware = (koa: KoaContext, next: () => Promise<unknown>) => Promise<void>;

/**
 * Gives each request its Context, which is `current()` in all that follows. It ends at the caller's deadline or the server's
 * limit, when the client goes away, and when the response is out. A request whose time is up on arrival is answered 504, one
 * with a malformed deadline 400, and no later middleware runs.
 *
 * It is the error handler too: a deadline that passed is answered with 504 and a problem document; a cancellation whose client
 * is gone ends here; every other error is thrown on, untouched.
 *
 * Used again further in, on a router or a route, it can only make the deadline earlier.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first request
 */
export function requestContext(options?: ServerOptions): Middleware {
  const accepts = acceptor(options);
  return async function requestContext(koa, next) {
    const exchange = acceptNode(accepts, koa.req, koa.res, () => route(koa));
    if (exchange.refusal !== undefined) return answer(koa, exchange.refusal, false);
    try {
      await run(exchange.ctx, next);
    } catch (error) {
      exchange.fail(error);
      const problem = problemOf(error);
      if (koa.res.destroyed && (problem !== undefined || canceledBy(error) !== undefined)) return;
      if (problem === undefined || koa.headerSent) throw error;
      answer(koa, problem, true);
    }
  };
}

function answer(koa: KoaContext, problem: Problem, started: boolean): void {
  koa.status = problem.status;
  koa.body = JSON.stringify(problem);
  koa.set(problemHeaders(problem, started));
}

/** Where @koa/router leaves the route that matched. */
function route(koa: KoaContext): string | undefined {
  const matched = (koa as { _matchedRoute?: unknown })._matchedRoute;
  return typeof matched === "string" ? matched : undefined;
}
