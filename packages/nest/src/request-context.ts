import type { IncomingMessage, ServerResponse } from "node:http";

import type { Context } from "@throughline/context";
import { runRequest } from "@throughline/context/internal";
import type { ServerOptions } from "@throughline/http";
import {
  createNodeReceiver,
  type HostHandler,
  type Problem,
  receiveNode,
  sendProblem,
} from "@throughline/http/adapter";

/** Functional middleware for Nest, on Express and on Fastify. */
export type Middleware = (req: unknown, res: unknown, next: () => void) => void;

/**
 * Nest middleware that applies further limits to some routes, inside of {@link ContextModule}. It can only shorten the
 * deadline: `consumer.apply(requestContext({ maxTimeout: "500ms" })).forRoutes(ReportController)`.
 *
 * @throws TypeError, RangeError at this call, not at the first request, if an option is invalid
 */
export function requestContext(options?: ServerOptions): Middleware {
  const receive = createNodeReceiver(options);
  return function requestContext(request, response, next) {
    const [req, res] = [rawOf(request) as IncomingMessage, rawOf(response) as ServerResponse];
    void receiveNode<void>(receive, req, res, new MiddlewareHandler(req, res, next));
  };
}

/** The middleware of the module for adapters other than that of Fastify. */
export function outermostContext(options: ServerOptions): Middleware {
  const receive = createNodeReceiver(options);
  return function requestContext(request, response, next) {
    const [req, res] = [request as IncomingMessage, response as ServerResponse];
    void receiveNode<void>(receive, req, res, new RoutedHandler(req, res, next));
  };
}

/** Node's request or response, which Fastify's objects hold. */
export function rawOf(object: unknown): unknown {
  return (object as { raw?: unknown }).raw ?? object;
}

/** Continues a request in Nest. It is a class because closures for each request would cost more. */
class MiddlewareHandler implements HostHandler<void> {
  protected readonly req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #next: () => void;

  constructor(req: IncomingMessage, res: ServerResponse, next: () => void) {
    this.req = req;
    this.#res = res;
    this.#next = next;
  }

  run(ctx: Context): void {
    runRequest(ctx, this.#next);
  }

  reject(problem: Problem, started: boolean): void {
    sendProblem(this.req, this.#res, problem, started);
  }

  ignore(): void {}
}

class RoutedHandler extends MiddlewareHandler {
  /** The path of Express, to which Nest adds prefixes and versions. */
  route(): string | undefined {
    const path: unknown = (this.req as { route?: { path?: unknown } }).route?.path;
    return typeof path === "string" ? path : undefined;
  }
}
