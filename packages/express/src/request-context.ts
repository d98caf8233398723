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

/** A request in Express's hands. A class, as functions made for each request weigh more than all else that is. */
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
