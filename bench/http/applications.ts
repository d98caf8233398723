import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createRequire } from "node:module";

import { requestContext as expressContext } from "@throughline/express";
import { requestContext as koaContext } from "@throughline/koa";

export type Framework = "express" | "koa";

// Required, not imported: instrumentations patch CommonJS modules.
const require = createRequire(import.meta.url);

/** Creates an application with one route, with or without our middleware. */
export const applications: Record<Framework, (isOurs: boolean) => RequestListener> = {
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
};
