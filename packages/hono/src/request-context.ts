import { answerError, requestContext as fetchContext } from "@throughline/fetch";
import { type ServerOptions } from "@throughline/http";
import { isRepresentationHeader, type ServerRequest, serverRequestOf } from "@throughline/http/adapter";
import type { Context, MiddlewareHandler, Next } from "hono";

/**
 * Hono middleware that creates a Context for each request. It is `current()` in all later middlewares and handlers.
 * The Context ends at the caller's deadline or the limit of the server, when the client leaves, and when the response
 * is sent. A request whose deadline has passed on arrival is answered 504, and one with a malformed deadline 400; no
 * later handler runs.
 *
 * At the deadline the request is answered 504, even if its handler continues. An error of this library that no error
 * handler has answered is answered with a problem document; see {@link errorHandler}.
 *
 * Used again on a route or an application inside, it can only shorten the deadline.
 *
 * @throws TypeError, RangeError at this call, not at the first request, if an option is invalid
 */
export function requestContext(options?: ServerOptions): MiddlewareHandler {
  const receive = fetchContext((request, _hono: Context, run: HonoRun) => run.handle(request as Request), options);
  return async function requestContext(hono, next) {
    const run = new HonoRun(hono, next);
    const response = await receive(hono.req.raw, hono, run);
    run.isOver = true;
    // Hono ignores a returned response if one is set.
    if (!hono.finalized) return response;
    if (hono.res !== response) replaceResponse(hono, response);
    return undefined;
  };
}

/** The rest of a request: the middlewares and the handler after this one. */
class HonoRun {
  readonly #hono: Context;
  readonly #next: Next;
  /** Whether the middleware has returned: the request was answered in place of the handler. */
  isOver = false;

  constructor(hono: Context, next: Next) {
    this.#hono = hono;
    this.#next = next;
  }

  async handle(request: Request): Promise<Response> {
    const hono = this.#hono;
    // Where the headers of the request are immutable, the handler gets another request.
    hono.req.raw = request;
    const serverRequest = serverRequestOf(request) as ServerRequest;
    if (typeof serverRequest.route !== "string") serverRequest.route = this;
    await this.#next();
    if (this.isOver) return new Response(null);
    this.#answerError(request);
    return hono.res;
  }

  /** Answers the error that Hono has caught, if it is one of this library, and the error handler did not know it. */
  #answerError(request: Request): void {
    const hono = this.#hono;
    if (hono.error === undefined) return;
    const answer = answerError(hono.error, request);
    if (answer !== undefined && hono.res.status === 500) replaceResponse(hono, answer);
  }

  /** The route of the last handler that ran. Middlewares are registered for all methods, and often with a wildcard. */
  route(): string | undefined {
    const { req } = this.#hono;
    // Not by `hono/route`: applications that require Hono have another copy of it, which cannot read this request.
    const last = req.matchedRoutes.at(req.routeIndex);
    if (last === undefined || (last.method === "ALL" && last.path.endsWith("*"))) return undefined;
    return last.path;
  }
}

/** Replaces the response, and keeps the headers that do not describe its body, such as those of CORS. */
function replaceResponse(hono: Context, response: Response): void {
  for (const [name, value] of hono.res.headers) {
    if (isRepresentationHeader(name) || response.headers.has(name)) continue;
    response.headers.append(name, value);
  }
  void hono.res.body?.cancel().catch(() => {});
  hono.res = undefined;
  hono.res = response;
}
