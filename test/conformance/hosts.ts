import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { getRequestListener } from "@hono/node-server";
import { errorHandler, requestContext as expressContext } from "@throughline/express";
import { requestContext as fetchContext } from "@throughline/fetch";
import type { ServerOptions } from "@throughline/http";
import { requestContext as koaContext } from "@throughline/koa";
import express from "express";
import Koa from "koa";

/** What a test wants done with a request; what it returns is the body of a 200, as a whole or as a stream. */
export type Handler = () => string | Readable | Promise<string>;

export interface Host {
  readonly name: string;
  readonly protocol: "http/1.1" | "http/2";
  listener(handler: Handler, options?: ServerOptions): http.RequestListener;
}

const expressHost: Host["listener"] = (handler, options) => {
  const app = express();
  app.use(expressContext(options));
  app.get("/items/:id", async (_req, res) => {
    const body = await handler();
    if (typeof body === "string") res.send(body);
    else await pipeline(body, res);
  });
  app.use(errorHandler());
  app.use(
    ((_error, _req, res, _next) =>
      void res.status(500).send("the application's own handler")) as express.ErrorRequestHandler,
  );
  return app;
};

const koaHost: Host["listener"] = (handler, options) => {
  const app = new Koa();
  app.silent = true;
  app.use(async (koa, next) => {
    try {
      await next();
    } catch {
      koa.status = 500;
      koa.body = "the application's own handler";
    }
  });
  app.use(koaContext(options));
  app.use(async (koa) => {
    koa.body = await handler();
  });
  return app.callback();
};

const fetchHost: Host["listener"] = (handler, options) =>
  getRequestListener(
    fetchContext(async () => {
      const body = await handler();
      return new Response(typeof body === "string" ? body : (Readable.toWeb(body) as ReadableStream));
    }, options),
    {
      overrideGlobalObjects: false,
      errorHandler: () => new Response("the application's own handler", { status: 500 }),
    },
  );

/** Everything that a request may be served by. */
export const hosts: readonly Host[] = [
  { name: "Express 5", protocol: "http/1.1", listener: expressHost },
  { name: "Koa 3", protocol: "http/1.1", listener: koaHost },
  { name: "Koa 3 over HTTP/2", protocol: "http/2", listener: koaHost },
  { name: "a fetch handler", protocol: "http/1.1", listener: fetchHost },
  { name: "a fetch handler over HTTP/2", protocol: "http/2", listener: fetchHost },
];

export interface Served extends AsyncDisposable {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves on a socket of loopback. */
export async function serve(host: Host, handler: Handler, options?: ServerOptions): Promise<Served> {
  const listener = host.listener(handler, options);
  const server = host.protocol === "http/2" ? http2.createServer(listener as never) : http.createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  async function close(): Promise<void> {
    server.close();
    if (server instanceof http.Server) server.closeAllConnections();
    await once(server, "close");
  }
  return { url: `http://127.0.0.1:${port}/items/7?q=1`, close, [Symbol.asyncDispose]: close };
}
