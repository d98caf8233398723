// h3 2, and Nitro 3, which is made of it: one Context per request.
import { requestContext, type ServerOptions, setRoute } from "@throughline/fetch";
import { type H3Event, type Middleware, toResponse } from "h3";

/**
 * The first middleware of an application: `app.use(contextMiddleware())`. In Nitro it is the default export of
 * `server/middleware/0.context.ts`.
 */
export function contextMiddleware(options?: ServerOptions): Middleware {
  const handler = requestContext(async (_request: Request, event: H3Event, next: () => unknown) => {
    const route = event.context.matchedRoute?.route;
    if (route !== undefined) setRoute(route);
    return toResponse(await next(), event);
  }, options);
  return (event, next) => handler(event.req, event, next);
}
