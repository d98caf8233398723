import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { errorHandler, requestContext } from "@throughline/express";
import express from "express";
import express4 from "express4";

import { APPLICATIONS_OWN, type Handler, type Host } from "./host.ts";
import { receivedByNode } from "./told.ts";

/** The route is in a router of its own, as in any application that has grown. */
function listenerWith(framework: typeof express): Host["listener"] {
  return (handler, options, inner) => {
    const app = framework();
    const router = framework.Router();
    app.use(requestContext(options));
    if (inner !== undefined) router.use(requestContext(inner));
    router.all("/:id", (req, res, next) => {
      // Express 4 knows nothing of promises.
      answer(handler, req, res).catch(next);
    });
    app.use("/items", router);
    app.use(errorHandler());
    app.use(((_error, _req, res, _next) => void res.status(500).send(APPLICATIONS_OWN)) as express.ErrorRequestHandler);
    return { on: "request", listener: app };
  };
}

async function answer(handler: Handler, req: express.Request, res: express.Response): Promise<void> {
  const body = await handler(receivedByNode(req, res));
  if (typeof body === "string") res.send(body);
  else await pipeline(body as Readable, res);
}

export const onExpress5: Host["listener"] = listenerWith(express);
export const onExpress4: Host["listener"] = listenerWith(express4 as unknown as typeof express);
