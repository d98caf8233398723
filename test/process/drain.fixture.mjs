// Serves on a loopback port, which it prints, and drains at SIGTERM.
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { setTimeout as delay } from "node:timers/promises";

import { getRequestListener } from "@hono/node-server";
import * as onExpress from "@throughline/express";
import * as onFetch from "@throughline/fetch";
import { drain, requestContext } from "@throughline/http";
import * as onKoa from "@throughline/koa";
import express from "express";
import Koa from "koa";

const listener = requestContext(async (_req, res) => {
  await delay(1);
  res.end("ok");
});

const servers = {
  "node:http": () => http.createServer(listener),
  "node:http2": () => http2.createServer(listener),
  Express: () => {
    const app = express();
    app.use(onExpress.requestContext());
    app.use(async (_req, res) => {
      await delay(1);
      res.send("ok");
    });
    return http.createServer(app);
  },
  Koa: () => {
    const app = new Koa();
    app.use(onKoa.requestContext());
    app.use(async (koa) => {
      await delay(1);
      koa.body = "ok";
    });
    return http.createServer(app.callback());
  },
  "a fetch handler": () => {
    const handler = onFetch.requestContext(async () => {
      await delay(1);
      return new Response("ok");
    });
    return http.createServer(getRequestListener(handler));
  },
};

const server = servers[process.argv[2]]();
// A second signal must not end the process during the drain.
process.on("SIGTERM", () => void drain(server, { shutdownTimeout: "5s" }));
server.listen(0, "127.0.0.1");
await once(server, "listening");
console.log(server.address().port);
