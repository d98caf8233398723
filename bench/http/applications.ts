import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createRequire } from "node:module";

import type * as nodeServer from "@hono/node-server";
import { requestContext as expressContext } from "@throughline/express";
import { requestContext as fastifyContext } from "@throughline/fastify";
import { requestContext as honoContext } from "@throughline/hono";
import { requestContext as koaContext } from "@throughline/koa";
import type * as fastifyModule from "fastify";
import type * as honoModule from "hono";

export type Framework = "express" | "koa" | "fastify" | "hono";

// Required, not imported: instrumentations patch CommonJS modules.
const require = createRequire(import.meta.url);

/** Creates an application with one route, with or without our middleware. */
export const applications: Record<Framework, (isOurs: boolean) => RequestListener | Promise<RequestListener>> = {
  express(isOurs) {
    const express = require("express") as () => RequestListener & {
      disable(name: string): void;
      use(middleware: unknown): void;
      get(path: string, handler: (req: IncomingMessage, res: ServerResponse) => void): void;
    };
    const app = express();
    app.disable("x-powered-by");
    if (isOurs) app.use(expressContext({ maxTimeout: "30s" }));
    app.get("/items/:id", (_req, res) => void res.end("ok"));
    return app;
  },
  koa(isOurs) {
    const Koa = require("koa") as new () => { use(middleware: unknown): void; callback(): RequestListener };
    const app = new Koa();
    if (isOurs) app.use(koaContext({ maxTimeout: "30s" }));
    app.use((ctx: { body: string }) => void (ctx.body = "ok"));
    return app.callback();
  },
  async fastify(isOurs) {
    const { fastify } = require("fastify") as typeof fastifyModule;
    const app = fastify();
    if (isOurs) await app.register(fastifyContext, { maxTimeout: "30s" });
    app.get("/items/:id", (_request, reply) => void reply.send("ok"));
    await app.ready();
    return app.routing;
  },
  hono(isOurs) {
    const { Hono } = require("hono") as typeof honoModule;
    const { getRequestListener } = require("@hono/node-server") as typeof nodeServer;
    const app = new Hono();
    if (isOurs) app.use(honoContext({ maxTimeout: "30s" }));
    app.get("/items/:id", (hono) => hono.text("ok"));
    return getRequestListener(app.fetch);
  },
};
