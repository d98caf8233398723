import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { errorHandler, guard as guarded, requestContext } from "@throughline/express";
import express from "express";
import express4 from "express4";

import { APPLICATION_ERROR, type Handler, type Host } from "./host.ts";
import { receivedByNode } from "./received.ts";

/**
 * The route is in its own router, as in larger applications. Its handler is async, although Express 4 ignores promises.
 */
function listenerWith(framework: typeof express): Host["listener"] {
  return (handler, { options, inner, guard, onError }) => {
    const app = framework();
    const router = framework.Router();
    app.use(requestContext(options));
    if (inner !== undefined) router.use(requestContext(inner));
    if (guard !== undefined) router.use(guarded(guard));
    router.all("/:id", (req, res) => answer(handler, req, res));
    app.use("/items", router);
    app.use(errorHandler());
    app.use((async (error, _req, res, _next) => {
      await onError?.(error);
      res.status(500).send(APPLICATION_ERROR);
    }) as express.ErrorRequestHandler);
    return { on: "request", listener: app };
  };
}

async function answer(handler: Handler, req: express.Request, res: express.Response): Promise<void> {
  const body = await handler(receivedByNode(req, res));
  if (typeof body === "string") res.send(body);
  else if (body !== undefined) await pipeline(body instanceof Readable ? body : Readable.fromWeb(body as never), res);
}

export const onExpress5: Host["listener"] = listenerWith(express);
export const onExpress4: Host["listener"] = listenerWith(express4 as unknown as typeof express);
