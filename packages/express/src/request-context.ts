import type { IncomingMessage, ServerResponse } from "node:http";

import { type Context } from "@throughline/context";
import { runRequest } from "@throughline/context/internal";
import { type ServerOptions } from "@throughline/http";
import {
  createNodeReceiver,
  type HostHandler,
  type Problem,
  receiveNode,
  sendProblem,
} from "@throughline/http/adapter";

import { observeHandlers } from "./observe-handlers.ts";
import { type Routed, routeOf } from "./route.ts";

/** Middleware for Express 4 and 5. It uses the types of Node, which those of Express extend. */
export type Middleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void | Promise<void>;

/**
 * Express middleware that creates a Context for each request. It is `current()` in all later middlewares and handlers.
 * The Context ends at the caller's deadline or the limit of the server, when the client leaves, and when the response
 * is sent. A request whose deadline has passed on arrival is answered 504, and one with a malformed deadline 400; no
 * later handler runs.
 *
 * Used again on a router or a route, it can only shorten the deadline.
 *
 * @throws TypeError, RangeError at this call, not at the first request, if an option is invalid
 */
export function requestContext(options?: ServerOptions): Middleware {
  const receive = createNodeReceiver(options);
  return function requestContext(req, res, next) {
    if (typeof next !== "function") {
      throw new TypeError(
        "Cannot receive a request: this is Express middleware, called as (req, res, next); for Koa it is in @throughline/koa, for node:http in @throughline/http",
      );
    }
    observeHandlers((req as Routed).app);
    return receiveNode(receive, req, res, new ExpressHandler(req, res, next));
  };
}

/** Continues a request in Express. It is a class because closures for each request would cost more. */
class ExpressHandler implements HostHandler<void> {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #next: () => void;

  constructor(req: IncomingMessage, res: ServerResponse, next: () => void) {
    this.#req = req;
    this.#res = res;
    this.#next = next;
  }

  run(ctx: Context): void {
    runRequest(ctx, this.#next);
  }

  reject(problem: Problem, started: boolean): void {
    sendProblem(this.#req, this.#res, problem, started);
  }

  ignore(): void {}

  route(): string | undefined {
    return routeOf(this.#req as Routed);
  }
}
