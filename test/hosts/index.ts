import { onExpress4, onExpress5 } from "./express.ts";
import { onFastify } from "./fastify.ts";
import { onFetch, onH3, onHono } from "./fetch.ts";
import { onHonoMiddleware } from "./hono.ts";
import type { Host } from "./host.ts";
import { onKoa2, onKoa3 } from "./koa.ts";
import { onNestExpress, onNestFastify } from "./nest.ts";
import { onNode, onStream } from "./node.ts";

export { type Body, type Handler, type Host, type Received, type Setup } from "./host.ts";
export { serve, type Served } from "./serve.ts";

/** All supported hosts. */
export const hosts: readonly Host[] = [
  { name: "Express 5", protocol: "http/1.1", hasRoutes: true, hasGuards: true, listener: onExpress5 },
  {
    name: "Express 5 over TLS",
    protocol: "http/1.1",
    isSecure: true,
    hasRoutes: true,
    hasGuards: true,
    listener: onExpress5,
  },
  { name: "Express 4", protocol: "http/1.1", hasRoutes: true, hasGuards: true, listener: onExpress4 },
  { name: "Koa 3", protocol: "http/1.1", hasRoutes: true, hasGuards: true, listener: onKoa3 },
  { name: "Koa 3 over HTTP/2", protocol: "http/2", hasRoutes: true, hasGuards: true, listener: onKoa3 },
  { name: "Koa 2", protocol: "http/1.1", hasRoutes: true, hasGuards: true, listener: onKoa2 },
  { name: "Fastify", protocol: "http/1.1", hasRoutes: true, hasGuards: true, listener: onFastify },
  { name: "Fastify over HTTP/2", protocol: "http/2", hasRoutes: true, hasGuards: true, listener: onFastify },
  { name: "Nest over Express", protocol: "http/1.1", hasRoutes: true, hasGuards: true, listener: onNestExpress },
  { name: "Nest over Fastify", protocol: "http/1.1", hasRoutes: true, hasGuards: true, listener: onNestFastify },
  { name: "node:http", protocol: "http/1.1", listener: onNode },
  { name: "node:http2", protocol: "http/2", listener: onNode },
  { name: "node:http2 over TLS", protocol: "http/2", isSecure: true, listener: onNode },
  { name: "streams of node:http2", protocol: "http/2", listener: onStream },
  { name: "a fetch handler", protocol: "http/1.1", hasGuards: true, isFetch: true, listener: onFetch },
  { name: "a fetch handler over HTTP/2", protocol: "http/2", hasGuards: true, isFetch: true, listener: onFetch },
  { name: "Hono", protocol: "http/1.1", hasRoutes: true, hasGuards: true, isFetch: true, listener: onHono },
  {
    name: "Hono, by middleware",
    protocol: "http/1.1",
    hasRoutes: true,
    hasGuards: true,
    isFetch: true,
    listener: onHonoMiddleware,
  },
  { name: "h3", protocol: "http/1.1", hasRoutes: true, hasGuards: true, isFetch: true, listener: onH3 },
];
