import { once } from "node:events";

import { drain, errorHandler, requestContext } from "@throughline/express";
import { createFetch } from "@throughline/fetch";
import express from "express";

const fetch = createFetch(); // sends the time left and the trace; stops with the request

/** Starts the service. `stock` is the address of the service that it calls. */
export async function start(port = 3000, stock = "http://localhost:3001") {
  const app = express();
  app.use(requestContext({ maxTimeout: "2s" })); // a Context for each request below; answers 504 at its deadline
  app.get("/search", async (_req, res) => {
    const response = await fetch(`${stock}/stock`);
    res.status(response.status).json(await response.json());
  });
  app.use(errorHandler()); // after all routes

  const server = app.listen(port);
  await once(server, "listening");
  return { server, stop: () => drain(server, { shutdownTimeout: "10s" }) };
}
