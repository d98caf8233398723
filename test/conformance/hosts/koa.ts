import Router from "@koa/router";
import { requestContext } from "@throughline/koa";
import Koa from "koa";
import Koa2 from "koa2";

import { APPLICATIONS_OWN, type Host } from "./host.ts";
import { receivedByNode } from "./told.ts";

function listenerWith(Framework: typeof Koa): Host["listener"] {
  return (handler, options, inner) => {
    const app = new Framework();
    app.silent = true;
    app.use(async (koa, next) => {
      try {
        await next();
      } catch {
        koa.status = 500;
        koa.body = APPLICATIONS_OWN;
      }
    });
    app.use(requestContext(options));
    const [items, item] = [new Router({ prefix: "/items" }), new Router()];
    if (inner !== undefined) item.use(requestContext(inner));
    item.all("/:id", async (koa) => {
      koa.body = await handler(receivedByNode(koa.req, koa.res, koa));
    });
    items.use(item.routes());
    app.use(items.routes());
    return { on: "request", listener: app.callback() };
  };
}

export const onKoa3: Host["listener"] = listenerWith(Koa);
export const onKoa2: Host["listener"] = listenerWith(Koa2 as unknown as typeof Koa);
