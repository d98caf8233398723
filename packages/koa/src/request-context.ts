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

/** The part of a Koa context that this package uses, which is the same in Koa 2 and 3. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  status: number;
  body: unknown;
  set(headers: Record<string, string>): void;
  onerror?(error: unknown): void;
}

/** Middleware for Koa 2 and 3. */
export type Middleware = (koa: KoaContext, next: () => Promise<unknown>) => void | Promise<void>;

/**
 * Koa middleware that creates a Context for each request. It is `current()` in all later middlewares. The Context ends
 * at the caller's deadline or the limit of the server, when the client leaves, and when the response is sent. A request
 * whose deadline has passed on arrival is answered 504, and one with a malformed deadline 400; no later middleware
 * runs.
 *
 * It also answers the errors of this library with a problem document: a deadline that passed with 504, overload with
 * 503, `Unauthenticated` with 401, `Forbidden` with 403. A cancellation is ignored if the client has left. All other
 * errors are rethrown.
 *
 * Used again on a router or a route, it can only shorten the deadline.
 *
 * @throws TypeError, RangeError at this call, not at the first request, if an option is invalid
 */
export function requestContext(options?: ServerOptions): Middleware {
  const receive = createNodeReceiver(options);
  return function requestContext(koa, next) {
    if (koa?.req === undefined || typeof next !== "function") {
      throw new TypeError(
        "Cannot receive a request: this is Koa middleware, called as (ctx, next); for Express it is in @throughline/express, for node:http in @throughline/http",
      );
    }
    Object.assign(koa, { onerror });
    return receiveNode(receive, koa.req, koa.res, new KoaHandler(koa, next));
  };
}

/** Koa's `onerror` without errors that only report that the client has left: Koa would log each of them. */
function onerror(this: KoaContext, error: unknown): void {
  const { req, res } = this;
  if (error != null && classifyErrorOn(error, hostResponseOf(req, res)) === "gone") return;
  (Object.getPrototypeOf(this) as KoaContext).onerror?.call(this, error);
}

/** Continues a request in Koa. It is a class because closures for each request would cost more. */
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
      // Koa reads the body after all middlewares have returned, outside of the context.
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
  // The unread rest of the request must not block the next one.
  hostResponseOf(koa.req, koa.res).discardRequestBody();
  for (const name of koa.res.getHeaderNames()) if (isRepresentationHeader(name)) koa.res.removeHeader(name);
  koa.status = status;
  koa.body = body;
  koa.set(headers);
}

/** The matched route, which `@koa/router` sets on the Koa context. */
function routeOf(koa: KoaContext): string | undefined {
  const matched = (koa as { _matchedRoute?: unknown })._matchedRoute;
  return typeof matched === "string" ? matched : undefined;
}
