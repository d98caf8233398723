import type { IncomingMessage, ServerResponse } from "node:http";

import { type Context } from "@throughline/context";
import { runRequest } from "@throughline/context/internal";
import { type ServerOptions } from "@throughline/http";
import {
  createNodeReceiver,
  problemResponse,
  serverRequestOf,
  type HostHandler,
  isRepresentationHeader,
  classifyError,
  classifyErrorOn,
  type Problem,
  readInContext,
  receiveNode,
  hostResponseOf,
} from "@throughline/http/adapter";

/** As much of a Koa context as is needed, so that this fits Koa 2 and 3. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  status: number;
  body: unknown;
  set(headers: Record<string, string>): void;
  onerror?(error: unknown): void;
}

export type Middleware = (koa: KoaContext, next: () => Promise<unknown>) => void | Promise<void>;

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
  const receive = createNodeReceiver(options);
  return function requestContext(koa, next) {
    if (koa?.req === undefined || typeof next !== "function") {
      throw new TypeError(
        "Cannot receive a request: this is Koa middleware, called as (ctx, next); for Express it is in @throughline/express, for node:http in @throughline/http",
      );
    }
    Object.assign(koa, { onerror: reportError });
    return receiveNode(receive, koa.req, koa.res, new KoaHandler(koa, next));
  };
}

/** Koa reports the end of each connection that is lost as an error of the application. */
function reportError(this: KoaContext, error: unknown): void {
  const { req, res } = this;
  if (error != null && classifyErrorOn(error, hostResponseOf(req, res)) === "gone") return;
  (Object.getPrototypeOf(this) as KoaContext).onerror?.call(this, error);
}

/** A request in Koa's hands. A class, as functions made for each request weigh more than all else that is. */
class KoaHandler implements HostHandler<Promise<void>> {
  readonly #koa: KoaContext;
  readonly #next: () => Promise<unknown>;

  constructor(koa: KoaContext, next: () => Promise<unknown>) {
    this.#koa = koa;
    this.#next = next;
  }

  async run(ctx: Context): Promise<void> {
    try {
      await runRequest(ctx, this.#next);
      // Koa begins to read it when all middlewares are done, outside of them.
      readInContext(serverRequestOf(this.#koa.req)?.entered ?? ctx, this.#koa.body);
    } catch (error) {
      const { req, res } = this.#koa;
      const disposition = classifyError(error, req, res);
      if (disposition === "pass") throw error;
      if (disposition !== "gone") answer(this.#koa, disposition, true);
    }
  }

  async reject(problem: Problem, started: boolean): Promise<void> {
    answer(this.#koa, problem, started);
  }

  async ignore(): Promise<void> {}

  route(): string | undefined {
    return routeOf(this.#koa);
  }
}

function answer(koa: KoaContext, problem: Problem, started: boolean): void {
  const { status, headers, body } = problemResponse(problem, started, koa.req.headers.accept);
  // As with an answer of ours by other ways: what is left of the request must not keep the next one waiting.
  hostResponseOf(koa.req, koa.res).leaveUnread();
  for (const name of koa.res.getHeaderNames()) if (isRepresentationHeader(name)) koa.res.removeHeader(name);
  koa.status = status;
  koa.body = body;
  koa.set(headers);
}

/** Where @koa/router leaves the route that matched. */
function routeOf(koa: KoaContext): string | undefined {
  const matched = (koa as { _matchedRoute?: unknown })._matchedRoute;
  return typeof matched === "string" ? matched : undefined;
}
