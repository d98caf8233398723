import { Canceled, current, DeadlineExceeded } from "@throughline/context";
import express from "express";
import request from "supertest";
import { describe, expect, it } from "vitest";

import { recordSpans } from "../../../test/support/spans.ts";
import { errorHandler, requestContext } from "./index.ts";

describe("requestContext", () => {
  it("is the current context below Express's own middlewares, body parser included", async () => {
    const app = express();
    app.use(requestContext({ maxTimeout: "2s" }), express.json());
    app.post(
      "/",
      (req, res) => void res.json({ body: req.body as unknown, deadline: current().remaining() < Infinity }),
    );

    const response = await request(app).post("/").send({ a: 1 });
    expect(response.body).toEqual({ body: { a: 1 }, deadline: true });
  });

  it("used again on a route makes the deadline earlier, never later", async () => {
    const app = express();
    const left: number[] = [];
    app.use(requestContext({ maxTimeout: "2s" }));
    app.get(
      "/less",
      requestContext({ maxTimeout: "500ms" }),
      (_req, res) => void res.end(String(left.push(current().remaining()))),
    );
    app.get(
      "/more",
      requestContext({ maxTimeout: "9s" }),
      (_req, res) => void res.end(String(left.push(current().remaining()))),
    );
    await request(app).get("/less");
    await request(app).get("/more");

    expect(left[0]).toBeLessThanOrEqual(500);
    expect(left[1]).toBeGreaterThan(500);
    expect(left[1]).toBeLessThanOrEqual(2000);
  });

  it("fails where a bad option is written, not at the first request", () => {
    expect(() => requestContext({ maxTimeout: "later" as "1s" })).toThrow(
      "Cannot make a request context: 'maxTimeout'",
    );
  });
});

describe("errorHandler", () => {
  it("passes a cancellation of the application's own on to the application", async () => {
    const app = express();
    app.use(requestContext());
    app.get("/", () => {
      throw new Canceled("the application's own");
    });
    app.use(errorHandler());
    app.use(
      ((error: Error, _req, res, _next) => void res.status(500).send(error.message)) as express.ErrorRequestHandler,
    );

    expect((await request(app).get("/")).text).toBe("the application's own");
  });

  it("answers a deadline that was wrapped in another error", async () => {
    const app = express();
    app.use(requestContext());
    app.get("/", () => {
      throw new Error("the query failed", { cause: new DeadlineExceeded() });
    });
    app.use(errorHandler());

    const response = await request(app).get("/");
    expect(response.status).toBe(504);
    expect(response.headers["content-type"]).toContain("application/problem+json");
  });

  it("leaves a response that has begun to Express, which breaks it off", async () => {
    const app = express();
    app.use(requestContext());
    app.get("/", (_req, res) => {
      res.write("begun");
      throw new DeadlineExceeded();
    });
    app.use(errorHandler());

    await expect(request(app).get("/")).rejects.toThrow(/aborted|hang up/);
  });
});

describe("with an SDK", () => {
  const spans = recordSpans();

  it("the span is named after the route, also inside a router", async () => {
    const app = express();
    const router = express.Router();
    router.get("/:id", (_req, res) => void res.end());
    app.use(requestContext());
    app.use("/items", router);
    await request(app).get("/items/7");

    const [span] = await spans.take(1);
    expect(span!.name).toBe("GET /items/:id");
    expect(span!.attributes["http.route"]).toBe("/items/:id");
  });

  it("used twice makes one span", async () => {
    const app = express();
    app.use(requestContext(), requestContext());
    app.get("/", (_req, res) => void res.end());
    await request(app).get("/");

    expect(await spans.take(1)).toHaveLength(1);
  });
});
