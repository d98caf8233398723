import type { IncomingMessage, ServerResponse } from "node:http";

import { carry } from "@throughline/context";
import { acceptor, receiveNode, sendProblem, type ServerOptions } from "@throughline/http";

import { type Routed, routeOf } from "./route.ts";

/** A handler as Express 4 and 5 take it; written with Node's types, of which theirs are made. */
export type Middleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void | Promise<void>;

/**
 * Gives each request its Context, which is `current()` in all that follows. It ends at the caller's deadline or the server's
 * limit, when the client goes away, and when the response is out. A request whose time is up on arrival is answered 504, one
 * with a malformed deadline 400, and no later handler runs.
 *
 * Used again further in, on a router or a route, it can only make the deadline earlier.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first request
 */
export function requestContext(options?: ServerOptions): Middleware {
  const accept = acceptor(options);
  return function requestContext(req, res, next) {
    return receiveNode<void>(accept, req, res, () => routeOf(req as Routed), {
      run: (ctx) => carry(ctx, next),
      refuse: (problem, started) => sendProblem(req, res, problem, started),
      leave: () => {},
    });
  };
}
