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

/** Answers with the error, and counts how often it is called. */
function answering(): express5.ErrorRequestHandler {
  return vi.fn<express5.ErrorRequestHandler>(
    (error: unknown, _req, res, _next) => void res.status(500).end(String(error)),
  );
}

/** An application with a route, behind a router, that fails; and what else the test wants. */
function failing(framework: Framework, ...handlers: express5.RequestHandler[]): express5.Express {
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
  ])("an async handler that rejects with %s has that handled, once", async (_what, reason, text) => {
    const handler = answering();
    const app = failing(framework, async () => {
      await null;
      throw reason;
    });
    app.use(errorHandler(), handler);

    const response = await request(app).get("/");
    expect([response.status, response.text]).toEqual([500, text]);
    expect(handler).toHaveBeenCalledOnce();
  });

  it("an async handler that has called next goes on, and may still fail", async () => {
    const handler = answering();
    const app = failing(
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

  it("an async error handler that rejects has that handled by the next one", async () => {
    const app = failing(framework, () => {
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
    app.use(answering());

    expect((await request(app).get("/")).text).toBe("Error: after a bug");
  });

  it("a handler that throws, and an error handler that does, are handled as ever", async () => {
    const app = failing(framework, () => {
      throw bug;
    });
    app.use(((error: Error, _req, _res, _next) => {
      throw new Error(`after ${error.message}`);
    }) as express5.ErrorRequestHandler);
    app.use(answering());

    expect((await request(app).get("/")).text).toBe("Error: after a bug");
  });
});
