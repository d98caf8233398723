import type { RequestListener } from "node:http";
import { createRequire } from "node:module";

import { getRequestListener } from "@hono/node-server";
import type KoaRouter from "@koa/router";
import { errorHandler, requestContext as onExpress } from "@throughline/express";
import { requestContext as onFetch } from "@throughline/fetch";
import { requestContext as onNode } from "@throughline/http";
import { requestContext as onKoa } from "@throughline/koa";
import type Express from "express";
import type Koa from "koa";

import type { Setup } from "./setups.ts";

/** Handles a request for an item and returns the response body. */
type Handle = (id: string) => Promise<string>;
type Load = (name: string) => Promise<unknown>;

/** Makes an application; frameworks with routers have the route in nested routers. */
export function listenerOf({ framework, loadedBy }: Setup, handle: Handle): Promise<RequestListener> {
  return applications[framework](loadedBy === "import" ? imported : required, handle);
}

const require = createRequire(import.meta.url);
const required: Load = async (name) => require(name) as unknown;
const imported: Load = async (name) => ((await import(name)) as { default: unknown }).default;

const applications: Record<Setup["framework"], (load: Load, handle: Handle) => Promise<RequestListener>> = {
  async Express(load, handle) {
    const express = (await load("express")) as typeof Express;
    const [app, shop, items] = [express(), express.Router({ mergeParams: true }), express.Router()];
    app.use(onExpress());
    items.get("/:id", async (req, res) => void res.send(await handle(req.params.id)));
    shop.use("/items", items);
    app.use("/shops/:shop", shop);
    app.use(errorHandler());
    return app;
  },

  async Koa(load, handle) {
    const Application = (await load("koa")) as typeof Koa;
    const { Router } = (await load("@koa/router")) as { Router: typeof KoaRouter };
    const [app, shop, items] = [new Application(), new Router({ prefix: "/shops/:shop" }), new Router()];
    app.use(onKoa());
    items.get("/:id", async (koa) => {
      koa.body = await handle(koa["params"]["id"] as string);
    });
    shop.use("/items", items.routes());
    app.use(shop.routes());
    return app.callback();
  },

  async "node:http"(_load, handle) {
    return onNode(async (req, res) => void res.end(await handle(idIn(req.url!))));
  },

  async fetch(_load, handle) {
    const fetch = onFetch(async (request: Request, _env: object) => new Response(await handle(idIn(request.url))));
    return getRequestListener(fetch, { overrideGlobalObjects: false });
  },
};

function idIn(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}
