import { once } from "node:events";

import { createFetch } from "@throughline/fetch";
import { drain, requestContext } from "@throughline/koa";
import Koa from "koa";

const fetch = createFetch(); // sends the time left and the trace; stops with the request

/** Starts the service. `stock` is the address of the service that it calls. */
export async function start(port = 3000, stock = "http://localhost:3001") {
  const app = new Koa();
  app.use(requestContext({ maxTimeout: "2s" })); // first: a Context for each request; answers 504 at its deadline
  app.use(async (koa, next) => {
    if (koa.path !== "/search") {
      await next();
      return;
    }
    const response = await fetch(`${stock}/stock`);
    koa.status = response.status;
    koa.body = await response.json();
  });

  const server = app.listen(port);
  await once(server, "listening");
  return { server, stop: () => drain(server, { shutdownTimeout: "10s" }) };
}
