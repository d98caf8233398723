import { EventEmitter } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { SpanStatusCode } from "@opentelemetry/api";
import { background, Canceled, type Context, current, DeadlineExceeded, run, withTimeout } from "@throughline/context";
import { ClientDisconnected, requestContext as requestContextOfNode } from "@throughline/http";
import { measureDuringEach } from "@throughline/test/support/measurements.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { openRequest } from "@throughline/testing";
import express from "express";
import request from "supertest";
import { describe, expect, it } from "vitest";

import { errorHandler, requestContext } from "./index.ts";

describe("requestContext", () => {
  it("sets the current context, also after the body parser", async () => {
    const app = express();
    app.use(requestContext({ maxTimeout: "2s" }), express.json());
    app.post(
      "/",
      (req, res) => void res.json({ body: req.body as unknown, deadline: current().remaining() < Infinity }),
    );

    const response = await request(app).post("/").send({ a: 1 });
    expect(response.body).toEqual({ body: { a: 1 }, deadline: true });
  });

  it("used again on a route shortens the deadline, and never extends it", async () => {
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

  it("throws for an invalid option when it is called, not at the first request", () => {
    expect(() => requestContext({ maxTimeout: "later" as "1s" })).toThrow(
      "Cannot make a request context: 'maxTimeout'",
    );
  });
});

describe("errorHandler", () => {
  it("passes a cancellation of the application to the application", async () => {
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

  it("answers a deadline that is the cause of another error", async () => {
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

  it("removes the headers of the handler's body, and keeps all others", async () => {
    const app = express();
    app.use(requestContext());
    app.get("/", (_req, res) => {
      res.set({
        "content-length": "5000",
        "content-encoding": "gzip",
        etag: '"x"',
        "access-control-allow-origin": "*",
      });
      throw new DeadlineExceeded();
    });
    app.use(errorHandler());

    const response = await request(app).get("/");
    expect(response.status).toBe(504);
    expect(response.body).toMatchObject({ title: "Deadline exceeded" });
    expect(response.headers["access-control-allow-origin"]).toBe("*");
    expect(response.headers["etag"]).toBeUndefined();
  });

  it("leaves a response that has begun to Express, which destroys it", async () => {
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

describe("a nested requestContext", () => {
  it("derives from the outer one, even if the current context was lost in between", async () => {
    const app = express();
    const emitter = new EventEmitter();
    emitter.on("next", (next: () => void) => next());
    app.use(requestContext({ maxTimeout: "1s" }));
    app.use((_req, _res, next) => void setImmediate(() => run(background, () => emitter.emit("next", next))));
    app.get(
      "/",
      requestContext({ maxTimeout: "30s" }),
      (_req, res) => void res.end(String(current().remaining() <= 1000)),
    );

    expect((await request(app).get("/")).text).toBe("true");
  });

  it("applies all its options", async () => {
    const app = express();
    app.use(requestContext());
    app.get(
      "/default",
      requestContext({ defaultTimeout: "100ms" }),
      (_req, res) => void res.end(String(current().remaining() <= 100)),
    );
    app.get("/least", requestContext({ minBudget: "10s" }), (_req, res) => void res.end("ran"));

    expect((await request(app).get("/default")).text).toBe("true");
    expect((await request(app).get("/least").set("grpc-timeout", "1S")).status).toBe(504);
    expect((await request(app).get("/least")).text).toBe("ran");
  });
});

it("ends the context at once if the client has left before the middleware", async () => {
  const app = express();
  const [arrived, seen] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
  app.use((_req, res, next) => {
    res.once("close", () => next());
    arrived.resolve();
  });
  app.use(requestContext());
  app.use(() => seen.resolve(current().cause()));
  const server = createServer(app);
  const { leave } = await openRequest(server);
  await arrived.promise;
  leave();

  expect(await seen.promise).toBeInstanceOf(ClientDisconnected);
  server.close();
});

describe("with an SDK", () => {
  const spans = recordSpans();
  const measured = measureDuringEach();

  it("the route includes the path of its router, also if the request fails", async () => {
    const app = express();
    const router = express.Router();
    router.get("/:id", () => {
      throw new Error("a bug");
    });
    app.use(requestContext());
    app.use("/items", router);
    app.use(((_error, _req, res, _next) => void res.status(500).end()) as express.ErrorRequestHandler);
    await request(app).get("/items/7");

    const [span] = await spans.take(1);
    expect(span!.name).toBe("GET /items/:id");
    expect(span!.attributes).toMatchObject({ "http.response.status_code": 500, "error.type": "500" });
  });

  it("a response that the server destroyed is an error, not a client that left", async () => {
    const app = express();
    app.use(requestContext());
    app.get("/", (_req, res) => {
      res.write("begun");
      throw new RangeError("a bug");
    });
    app.use(errorHandler());
    await request(app)
      .get("/")
      .catch(() => {});

    const [span] = await spans.take(1);
    expect(span!.attributes).toMatchObject({
      "throughline.ended_by": "error",
      "error.type": "RangeError",
      "http.response.status_code": 200,
    });
    expect(span!.status.code).toBe(SpanStatusCode.ERROR);
  });

  it("a deadline that the handler sets is recorded as a deadline in the span", async () => {
    const app = express();
    app.use(requestContext());
    app.get("/", async () => {
      await sleepUnder(withTimeout(current(), 5)[0]);
    });
    app.use(errorHandler());
    await request(app).get("/");

    const [span] = await spans.take(1);
    expect(span!.attributes).toMatchObject({
      "throughline.ended_by": "deadline",
      "error.type": "DEADLINE_EXCEEDED",
      "http.response.status_code": 504,
    });
  });

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

  it("the span and the metric have the route of Express, also inside a requestContext of node:http", async () => {
    const app = express();
    const router = express.Router();
    router.get("/:id", (_req, res) => void res.end());
    app.use(requestContext());
    app.use("/items", router);
    const server = createServer(requestContextOfNode<IncomingMessage, ServerResponse>(app));
    await request(server).get("/items/7");

    const [span, ...others] = await spans.take(1);
    expect([span!.name, span!.attributes["http.route"], others]).toEqual(["GET /items/:id", "/items/:id", []]);
    const [duration] = await measured("http.server.request.duration");
    expect(duration!.attributes["http.route"]).toBe("/items/:id");
  });

  it("used twice creates one span", async () => {
    const app = express();
    app.use(requestContext(), requestContext());
    app.get("/", (_req, res) => void res.end());
    await request(app).get("/");

    expect(await spans.take(1)).toHaveLength(1);
  });
});

function sleepUnder(ctx: Context): Promise<never> {
  return new Promise((_resolve, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.err())));
}
