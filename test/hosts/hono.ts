import { errorHandler, guard as guarded, requestContext } from "@throughline/hono";
import { Hono } from "hono";

import { type Env, listenerOf, respond } from "./fetch.ts";
import { APPLICATION_ERROR, type Host } from "./host.ts";

/** The route is in an application of its own, which has the inner request context. */
export const onHonoMiddleware: Host["listener"] = (handler, { options, inner, guard, onError }) => {
  const [app, items] = [new Hono(), new Hono()];
  app.use(requestContext(options));
  if (inner !== undefined) items.use(requestContext(inner));
  if (guard !== undefined) items.use(guarded(guard));
  items.all("/:id", (hono) => respond(handler, hono.req.raw, hono.env as Env));
  app.route("/items", items);
  app.onError(
    errorHandler(async (error, hono) => {
      await onError?.(error);
      return hono.text(APPLICATION_ERROR, 500);
    }),
  );
  return listenerOf((request, env) => app.fetch(request, env), onError);
};
