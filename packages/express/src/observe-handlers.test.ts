import express5 from "express";
import express4 from "express4";
import request from "supertest";
import { describe, expect, it, vi } from "vitest";

import { errorHandler, requestContext } from "./index.ts";

type Framework = typeof express5;
const frameworks: [string, Framework][] = [
  ["Express 5", express5],
  ["Express 4", express4 as Framework],
];
const bug = new Error("a bug");

/** An error handler that answers with the error, and is a mock. */
function answerWithError(): express5.ErrorRequestHandler {
  return vi.fn<express5.ErrorRequestHandler>(
    (error: unknown, _req, res, _next) => void res.status(500).end(String(error)),
  );
}

/** An application with these handlers on a route of a router. */
function appWith(framework: Framework, ...handlers: express5.RequestHandler[]): express5.Express {
  const app = framework();
  const router = framework.Router();
  router.get("/", ...handlers);
  app.use(requestContext(), router);
  return app;
}

describe.each(frameworks)("on %s", (_name, framework) => {
  it.each<[string, unknown, string]>([
    ["an error", bug, "Error: a bug"],
    ["nothing", undefined, "Error: Rejected promise"],
  ])("the rejection of an async handler with %s goes to the error handlers, once", async (_what, reason, text) => {
    const handler = answerWithError();
    const app = appWith(framework, async () => {
      await null;
      throw reason;
    });
    app.use(errorHandler(), handler);

    const response = await request(app).get("/");
    expect([response.status, response.text]).toEqual([500, text]);
    expect(handler).toHaveBeenCalledOnce();
  });

  it("an async handler may reject after another one has called next", async () => {
    const handler = answerWithError();
    const app = appWith(
      framework,
      async (_req, _res, next) => {
        next();
      },
      async (_req, res) => {
        res.end("ok");
        await null;
        throw bug;
      },
    );
    app.use(handler);

    expect((await request(app).get("/")).text).toBe("ok");
    await vi.waitUntil(() => vi.mocked(handler).mock.calls.length > 0);
    expect(vi.mocked(handler).mock.calls.map(([error]) => error as unknown)).toEqual([bug]);
  });

  it("the rejection of an async error handler goes to the next one", async () => {
    const app = appWith(framework, () => {
      throw bug;
    });
    app.use((async () => {
      await null;
      throw new Error("another bug");
    }) as unknown as express5.ErrorRequestHandler);
    app.use((async (error: Error, _req: unknown, _res: unknown, _next: unknown) => {
      await null;
      throw new Error(`after ${error.message}`);
    }) as express5.ErrorRequestHandler);
    app.use(answerWithError());

    expect((await request(app).get("/")).text).toBe("Error: after a bug");
  });

  it("errors that handlers and error handlers throw go to the next error handler", async () => {
    const app = appWith(framework, () => {
      throw bug;
    });
    app.use(((error: Error, _req, _res, _next) => {
      throw new Error(`after ${error.message}`);
    }) as express5.ErrorRequestHandler);
    app.use(answerWithError());

    expect((await request(app).get("/")).text).toBe("Error: after a bug");
  });
});
