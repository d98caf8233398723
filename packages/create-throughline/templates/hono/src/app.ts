import { once } from "node:events";

import { serve } from "@hono/node-server";
import { createFetch } from "@throughline/fetch";
import { errorHandler, requestContext } from "@throughline/hono";
import { drain } from "@throughline/http";
import { Hono } from "hono";

const fetch = createFetch(); // sends the time left and the trace; stops with the request

/** Starts the service. `stock` is the address of the service that it calls. */
export async function start(port = 3000, stock = "http://localhost:3001") {
  const app = new Hono();
  app.use(requestContext({ maxTimeout: "2s" })); // a Context for each request below; answers 504 at its deadline
  app.get("/search", async (hono) => {
    const response = await fetch(`${stock}/stock`);
    return hono.body(await response.text(), response.ok ? 200 : 502);
  });
  app.onError(errorHandler());

  const server = serve({ fetch: app.fetch, port });
  if (!server.listening) await once(server, "listening");
  return { server, stop: () => drain(server, { shutdownTimeout: "10s" }) };
}
