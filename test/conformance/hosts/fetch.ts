import type { RequestListener } from "node:http";
import { Readable } from "node:stream";

import { getRequestListener } from "@hono/node-server";
import { answerError, requestContext } from "@throughline/fetch";
import { setRoute } from "@throughline/http";
import { H3 } from "h3";
import { Hono } from "hono";

import { APPLICATIONS_OWN, type Handler, type Host, type Listener } from "./host.ts";
import { receivedByFetch } from "./told.ts";

async function respond(handler: Handler, request: Request, env?: unknown): Promise<Response> {
  const body = await handler(receivedByFetch(request, env));
  return new Response(typeof body === "string" ? body : (Readable.toWeb(body) as ReadableStream));
}

type Fetch = (request: Request, env: object) => Response | Promise<Response>;

/** Serves a fetch handler with Node. */
function listenerOf(fetch: Fetch): Listener {
  const listener: RequestListener = getRequestListener(fetch, {
    overrideGlobalObjects: false,
    errorHandler: () => new Response(APPLICATIONS_OWN, { status: 500 }),
  });
  return { on: "request", listener };
}

export const onFetch: Host["listener"] = (handler, options, inner) => {
  const handle: Fetch = (request, env) => respond(handler, request, env);
  return listenerOf(requestContext(inner === undefined ? handle : requestContext(handle, inner), options));
};

export const onHono: Host["listener"] = (handler, options, inner) => {
  const app = new Hono();
  const handle: Fetch = (request, env) => respond(handler, request, env);
  const item = inner === undefined ? handle : requestContext(handle, inner);
  app.all("/items/:id", (hono) => {
    setRoute(hono.req.routePath);
    return item(hono.req.raw, hono.env as object);
  });
  app.onError((error, hono) => answerError(error, hono.req.raw) ?? hono.text(APPLICATIONS_OWN, 500));
  return listenerOf(requestContext((request: Request, env: object) => app.fetch(request, env), options));
};

export const onH3: Host["listener"] = (handler, options, inner) => {
  const app = new H3({
    silent: true,
    onError: (error, event) =>
      answerError(error.cause ?? error, event.req) ?? new Response(APPLICATIONS_OWN, { status: 500 }),
  });
  const handle = (request: Request): Response | Promise<Response> => respond(handler, request);
  const item = inner === undefined ? handle : requestContext(handle, inner);
  app.all("/items/:id", (event) => {
    setRoute("/items/:id");
    return item(event.req);
  });
  return listenerOf(requestContext((request: Request, _env: object) => app.fetch(request), options));
};
