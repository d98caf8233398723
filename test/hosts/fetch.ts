import type { RequestListener } from "node:http";
import { Readable } from "node:stream";

import { getRequestListener } from "@hono/node-server";
import { answerError, guard as guarded, requestContext } from "@throughline/fetch";
import { setRoute } from "@throughline/http";
import { H3 } from "h3";
import { Hono } from "hono";

import { APPLICATION_ERROR, type Handler, type Host, type Listener, type NodePair, type Setup } from "./host.ts";
import { receivedByFetch } from "./received.ts";

/** The Node request and response that @hono/node-server passes on. */
export interface Env {
  readonly incoming: NodePair["req"];
  readonly outgoing: NodePair["res"];
}

type Fetch = (request: Request, env: Env) => Response | Promise<Response>;

/** @param seesNode whether the framework passes Node's request on */
export async function respond(handler: Handler, request: Request, env: Env, seesNode = true): Promise<Response> {
  const body = await handler(receivedByFetch(request, env, seesNode));
  return new Response(body instanceof Readable ? (Readable.toWeb(body) as ReadableStream) : body!);
}

/** Serves a fetch handler on Node. */
export function listenerOf(fetch: Fetch, onError: Setup["onError"]): Listener {
  const listener: RequestListener = getRequestListener(fetch as never, {
    overrideGlobalObjects: false,
    errorHandler: async (error) => {
      await onError?.(error);
      return new Response(APPLICATION_ERROR, { status: 500 });
    },
  });
  return { on: "request", listener };
}

/** The handler with the inner request context and the guard. */
function itemOf(handle: Fetch, { inner, guard }: Setup): Fetch {
  const behindGuard = guard === undefined ? handle : guarded(guard, handle);
  return inner === undefined ? behindGuard : requestContext(behindGuard, inner);
}

export const onFetch: Host["listener"] = (handler, setup) => {
  const item = itemOf((request, env) => respond(handler, request, env), setup);
  return listenerOf(requestContext(item, setup.options), setup.onError);
};

export const onHono: Host["listener"] = (handler, setup) => {
  const app = new Hono();
  const item = itemOf((request, env) => respond(handler, request, env), setup);
  app.all("/items/:id", (hono) => {
    setRoute(hono.req.routePath);
    return item(hono.req.raw, hono.env as Env);
  });
  app.onError(async (error, hono) => {
    const answer = answerError(error, hono.req.raw);
    if (answer !== undefined) return answer;
    await setup.onError?.(error);
    return hono.text(APPLICATION_ERROR, 500);
  });
  return listenerOf(
    requestContext((request: Request, env: Env) => app.fetch(request, env), setup.options),
    setup.onError,
  );
};

export const onH3: Host["listener"] = (handler, setup) => {
  const app = new H3({
    silent: true,
    async onError(error, event) {
      const thrown = error.cause ?? error;
      const answer = answerError(thrown, event.req);
      if (answer !== undefined) return answer;
      await setup.onError?.(thrown);
      return new Response(APPLICATION_ERROR, { status: 500 });
    },
  });
  const item = itemOf((request, env) => respond(handler, request, env, false), setup);
  app.all("/items/:id", (event) => {
    setRoute("/items/:id");
    return item(event.req, (event.req as Request & { env: Env }).env);
  });
  return listenerOf(
    requestContext((request: Request, env: Env) => app.fetch(Object.assign(request, { env })), setup.options),
    setup.onError,
  );
};
