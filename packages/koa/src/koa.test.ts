import { createServer } from "node:http";

import Router from "@koa/router";
import { Canceled, current, DeadlineExceeded } from "@throughline/context";
import { requestContext as requestContextOfNode } from "@throughline/http";
import { measureDuringEach } from "@throughline/test/support/measurements.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import Koa from "koa";
import request from "supertest";
import { describe, expect, it } from "vitest";

import { requestContext } from "./index.ts";

describe("requestContext", () => {
  it("is the current context before and after the next middleware", async () => {
    const app = new Koa();
    app.use(requestContext({ maxTimeout: "2s" }));
    app.use(async (koa, next) => {
      const before = current();
      await next();
      koa.body = String(before === current() && before.remaining() < Infinity);
    });
    app.use(async () => {
      await null;
    });

    expect((await request(app.callback()).get("/")).text).toBe("true");
  });

  it("answers a deadline that is the cause of another error, and removes the body of the handler", async () => {
    const app = new Koa();
    app.use(requestContext());
    app.use((koa) => {
      koa.body = "half an answer";
      koa.set({ "content-encoding": "gzip", "x-kept": "yes" });
      koa.type = "text";
      throw new Error("the query failed", { cause: new DeadlineExceeded(undefined, { budget: 5, elapsed: 6 }) });
    });

    const response = await request(app.callback()).get("/");
    expect(response.status).toBe(504);
    expect(response.headers["content-type"]).toBe("application/problem+json");
    expect(response.body).toMatchObject({ status: 504, budgetMs: 5, elapsedMs: 6 });
    expect(response.headers["x-kept"]).toBe("yes");
  });

  it("rethrows a cancellation of the application", async () => {
    const app = new Koa();
    app.use(async (koa, next) => {
      try {
        await next();
      } catch (error) {
        koa.body = (error as Error).message;
      }
    });
    app.use(requestContext());
    app.use(() => {
      throw new Canceled("the application's own");
    });

    expect((await request(app.callback()).get("/")).text).toBe("the application's own");
  });

  it("throws for an invalid option when it is called, not at the first request", () => {
    expect(() => requestContext({ maxTimeout: "later" as "1s" })).toThrow(
      "Cannot make a request context: 'maxTimeout'",
    );
  });
});

describe("with an SDK", () => {
  const spans = recordSpans();
  const measured = measureDuringEach();

  it("the span is named after the route", async () => {
    const app = new Koa();
    const router = new Router({ prefix: "/items" });
    router.get("/:id", (koa) => void (koa.body = "ok"));
    app.use(requestContext()).use(router.routes());
    await request(app.callback()).get("/items/7");

    const [span] = await spans.take(1);
    expect(span!.name).toBe("GET /items/:id");
  });

  it("the span and the metric have the route of Koa's router, also inside a requestContext of node:http", async () => {
    const app = new Koa();
    const router = new Router({ prefix: "/items" });
    router.get("/:id", (koa) => void (koa.body = "ok"));
    app.use(requestContext()).use(router.routes());
    await request(createServer(requestContextOfNode(app.callback()))).get("/items/7");

    const [span, ...others] = await spans.take(1);
    expect([span!.name, span!.attributes["http.route"], others]).toEqual(["GET /items/:id", "/items/:id", []]);
    const [duration] = await measured("http.server.request.duration");
    expect(duration!.attributes["http.route"]).toBe("/items/:id");
  });
});
