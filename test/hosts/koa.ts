import { Readable } from "node:stream";

import Router from "@koa/router";
import { guard as guarded, requestContext } from "@throughline/koa";
import Koa from "koa";
import Koa2 from "koa2";

import { APPLICATION_ERROR, type Host } from "./host.ts";
import { receivedByNode } from "./received.ts";

function listenerWith(Framework: typeof Koa, takesWebStreams: boolean): Host["listener"] {
  return (handler, { options, inner, guard, onError }) => {
    const app = new Framework();
    app.silent = true;
    app.use(async (koa, next) => {
      try {
        await next();
      } catch (error) {
        await onError?.(error);
        koa.status = 500;
        koa.body = APPLICATION_ERROR;
      }
    });
    app.use(requestContext(options));
    const [items, item] = [new Router({ prefix: "/items" }), new Router()];
    if (inner !== undefined) item.use(requestContext(inner));
    if (guard !== undefined) item.use(guarded(guard));
    item.all("/:id", async (koa) => {
      const body = await handler(receivedByNode(koa.req, koa.res, koa));
      if (body === undefined) koa.respond = false;
      else koa.body = body instanceof ReadableStream && !takesWebStreams ? Readable.fromWeb(body as never) : body;
    });
    items.use(item.routes());
    app.use(items.routes());
    return { on: "request", listener: app.callback() };
  };
}

export const onKoa3: Host["listener"] = listenerWith(Koa, true);
export const onKoa2: Host["listener"] = listenerWith(Koa2 as unknown as typeof Koa, false);
