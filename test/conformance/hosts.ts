import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { getRequestListener } from "@hono/node-server";
import { errorHandler, requestContext as expressContext } from "@throughline/express";
import { answerError, requestContext as fetchContext } from "@throughline/fetch";
import type { DrainableServer, ServerOptions } from "@throughline/http";
import { requestContext as koaContext } from "@throughline/koa";
import express from "express";
import express4 from "express4";
import { H3 } from "h3";
import { Hono } from "hono";
import Koa from "koa";
import Koa2 from "koa2";

/** What a test wants done with a request; what it returns is the body of a 200, as a whole or as a stream. */
export type Handler = () => string | Readable | Promise<string>;

export interface Host {
  readonly name: string;
  readonly protocol: "http/1.1" | "http/2";
  listener(handler: Handler, options?: ServerOptions): http.RequestListener;
}

const APPLICATIONS_OWN = "the application's own handler";

const expressHost =
  (framework: typeof express): Host["listener"] =>
  (handler, options) => {
    const app = framework();
    app.use(expressContext(options));
    app.get("/items/:id", (_req, res, next) => {
      // Express 4 knows nothing of promises.
      (async () => {
        const body = await handler();
        if (typeof body === "string") res.send(body);
        else await pipeline(body, res);
      })().catch(next);
    });
    app.use(errorHandler());
    app.use(((_error, _req, res, _next) => void res.status(500).send(APPLICATIONS_OWN)) as express.ErrorRequestHandler);
    return app;
  };

const koaHost =
  (Framework: typeof Koa): Host["listener"] =>
  (handler, options) => {
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
    app.use(koaContext(options));
    app.use(async (koa) => {
      koa.body = await handler();
    });
    return app.callback();
  };

/** Without any framework: what Express takes fits here too. */
const nodeHost: Host["listener"] = (handler, options) => {
  const [begin, fail] = [expressContext(options), errorHandler()];
  return (req, res) =>
    begin(req, res, () => {
      (async () => {
        const body = await handler();
        if (typeof body === "string") res.end(body);
        else await pipeline(body, res);
      })().catch((error: unknown) =>
        fail(error, req, res, () => {
          res.statusCode = 500;
          res.end(APPLICATIONS_OWN);
        }),
      );
    });
};

async function respond(handler: Handler): Promise<Response> {
  const body = await handler();
  return new Response(typeof body === "string" ? body : (Readable.toWeb(body) as ReadableStream));
}

/** Serves a fetch handler with Node. */
function listenerOf(fetch: (request: Request, env: object) => Response | Promise<Response>): http.RequestListener {
  return getRequestListener(fetch, {
    overrideGlobalObjects: false,
    errorHandler: () => new Response(APPLICATIONS_OWN, { status: 500 }),
  });
}

const fetchHost: Host["listener"] = (handler, options) =>
  listenerOf(fetchContext((_request: Request, _env: object) => respond(handler), options));

const honoHost: Host["listener"] = (handler, options) => {
  const app = new Hono();
  app.get("/items/:id", () => respond(handler));
  app.onError((error) => answerError(error) ?? new Response(APPLICATIONS_OWN, { status: 500 }));
  return listenerOf(fetchContext((request: Request, _env: object) => app.fetch(request), options));
};

const h3Host: Host["listener"] = (handler, options) => {
  const app = new H3({
    silent: true,
    onError: (error) => answerError(error.cause ?? error) ?? new Response(APPLICATIONS_OWN, { status: 500 }),
  });
  app.get("/items/:id", () => respond(handler));
  return listenerOf(fetchContext((request: Request, _env: object) => app.fetch(request), options));
};

/** Everything that a request may be served by. */
export const hosts: readonly Host[] = [
  { name: "Express 5", protocol: "http/1.1", listener: expressHost(express) },
  { name: "Express 4", protocol: "http/1.1", listener: expressHost(express4 as unknown as typeof express) },
  { name: "Koa 3", protocol: "http/1.1", listener: koaHost(Koa) },
  { name: "Koa 3 over HTTP/2", protocol: "http/2", listener: koaHost(Koa) },
  { name: "Koa 2", protocol: "http/1.1", listener: koaHost(Koa2 as unknown as typeof Koa) },
  { name: "node:http", protocol: "http/1.1", listener: nodeHost },
  { name: "node:http2", protocol: "http/2", listener: nodeHost },
  { name: "a fetch handler", protocol: "http/1.1", listener: fetchHost },
  { name: "a fetch handler over HTTP/2", protocol: "http/2", listener: fetchHost },
  { name: "Hono", protocol: "http/1.1", listener: honoHost },
  { name: "h3", protocol: "http/1.1", listener: h3Host },
];

export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly server: DrainableServer;
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
    if (!server.listening) return;
    server.close();
    if (server instanceof http.Server) server.closeAllConnections();
    await once(server, "close");
  }
  return { url: `http://127.0.0.1:${port}/items/7?q=1`, server, close, [Symbol.asyncDispose]: close };
}
