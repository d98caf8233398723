import { once } from "node:events";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";

import { serve } from "@hono/node-server";
import { Canceled, createKey, current, DeadlineExceeded, withTimeout, withValue } from "@throughline/context";
import { Forbidden, Unauthenticated } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { openRequest } from "@throughline/testing";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { afterEach, describe, expect, it, vi } from "vitest";

import { errorHandler, guard, requestContext } from "./index.ts";

afterEach(() => void vi.restoreAllMocks());

async function ownDeadline(): Promise<Response> {
  const [ctx] = withTimeout(current(), 5);
  await sleep(ctx, "10s");
  return new Response();
}

describe("requestContext", () => {
  it("sets the current context in middlewares and handlers", async () => {
    const app = new Hono();
    app.use(requestContext({ maxTimeout: "1s" }));
    app.use(async (_hono, next) => {
      const before = current();
      await next();
      expect(current()).toBe(before);
    });
    app.post("/", async (hono) => hono.text(`${await hono.req.text()} ${current().remaining() <= 1000}`));

    const response = await app.request("/", { method: "POST", body: "a" });
    expect([response.status, await response.text()]).toEqual([200, "a true"]);
  });

  it("answers at the deadline while the handler continues, whose response is not used", async () => {
    const app = new Hono();
    const done = Promise.withResolvers<void>();
    app.use(cors(), requestContext({ maxTimeout: 20 }));
    app.get("/", async (hono) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      setTimeout(done.resolve, 10);
      return hono.text("too late");
    });

    const response = await app.request("/", { headers: { origin: "https://shop.example" } });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([504, "*"]);
    await done.promise;
    expect(await response.json()).toMatchObject({ title: "Deadline exceeded" });
  });

  it("used again in an application inside, shortens the deadline, and never extends it", async () => {
    const [app, inner] = [new Hono(), new Hono()];
    app.use(requestContext({ maxTimeout: "2s" }));
    inner.get("/less", requestContext({ maxTimeout: "500ms" }), (hono) => hono.text(`${current().remaining()}`));
    inner.get("/more", requestContext({ maxTimeout: "1h" }), (hono) => hono.text(`${current().remaining()}`));
    app.route("/inner", inner);
    const left = async (path: string): Promise<number> => Number(await (await app.request(path)).text());

    expect(await left("/inner/less")).toBeLessThanOrEqual(500);
    expect(await left("/inner/more")).toBeLessThanOrEqual(2000);
  });

  it("answers an error of this library that Hono's own error handler has answered with 500", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const app = new Hono();
    app.use(requestContext());
    app.get("/", (hono) => {
      hono.header("access-control-allow-origin", "*");
      hono.header("content-encoding", "gzip");
      return ownDeadline();
    });

    const response = await app.request("/");
    expect([response.status, await response.json()]).toMatchObject([504, { title: "Deadline exceeded" }]);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect([response.headers.get("access-control-allow-origin"), response.headers.get("content-encoding")]).toEqual([
      "*",
      null,
    ]);
  });

  it("leaves the answer of an error handler that knows the error", async () => {
    const app = new Hono();
    app.use(requestContext());
    app.get("/", ownDeadline);
    app.onError((error, hono) => hono.text(error.name, 503));

    const response = await app.request("/");
    expect([response.status, await response.text()]).toEqual([503, "TimeoutError"]);
  });

  it("throws for an invalid option when it is called, not at the first request", () => {
    expect(() => requestContext({ maxTimeout: "later" as "1s" })).toThrow("'maxTimeout'");
  });
});

describe("errorHandler", () => {
  function failing(error: Error, onError = errorHandler()): Hono {
    const app = new Hono();
    app.use(requestContext());
    app.get("/", () => {
      throw error;
    });
    app.onError(onError);
    return app;
  }

  it.each([
    [504, new Error("the query failed", { cause: new DeadlineExceeded() })],
    [403, new Forbidden()],
    [401, new Unauthenticated()],
  ])("answers %i to %s, without a log entry", async (status, error) => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const response = await failing(error).request("/");

    expect([response.status, await response.json()]).toMatchObject([status, { status }]);
    expect(log).not.toHaveBeenCalled();
  });

  it("treats all other errors as Hono does", async () => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const teapot = await failing(new HTTPException(418, { message: "a teapot" })).request("/");
    expect([teapot.status, await teapot.text(), log.mock.calls]).toEqual([418, "a teapot", []]);

    const bug = new Error("a bug");
    const response = await failing(bug).request("/");
    expect([response.status, await response.text(), log.mock.calls]).toEqual([500, "Internal Server Error", [[bug]]]);
  });

  it("passes all other errors to the handler that it is given", async () => {
    const onError = errorHandler((error, hono) => hono.text(error.message, 500));
    const response = await failing(new Canceled("the application's own"), onError).request("/");
    expect(await response.text()).toBe("the application's own");
  });
});

describe("guard", () => {
  it("runs the handler in the context that it returns", async () => {
    const tenantKey = createKey<string>("tenant");
    const app = new Hono();
    app.use(
      requestContext(),
      guard(({ ctx, headers }) => withValue(ctx, tenantKey, String(headers.get("x-tenant")))),
    );
    app.get("/", (hono) => hono.text(current().value(tenantKey)!));

    expect(await (await app.request("/", { headers: { "x-tenant": "acme" } })).text()).toBe("acme");
  });

  it("that throws answers, and neither the handler nor the error handler runs", async () => {
    const app = new Hono();
    const [handler, onError] = [vi.fn<() => Response>(), vi.fn<() => Response>()];
    app.use(
      requestContext(),
      guard(() => {
        throw new Unauthenticated();
      }),
    );
    app.get("/", handler);
    app.onError(onError);

    const response = await app.request("/");
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect([handler.mock.calls, onError.mock.calls]).toEqual([[], []]);
  });
});

it("ends the context when the client leaves", async () => {
  const app = new Hono();
  const [running, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
  app.use(requestContext());
  app.post("/", async (hono) => {
    await hono.req.text();
    const ctx = current();
    running.resolve();
    await sleep(ctx, "10s").catch(() => ended.resolve(ctx.cause()));
    return hono.text("nobody reads this");
  });
  const server = serve({ fetch: app.fetch, port: 0, overrideGlobalObjects: false });
  await once(server, "listening");
  const { leave } = await openRequest(server as Server, { body: "a" });
  await running.promise;
  leave();

  expect(await ended.promise).toMatchObject({ name: "ClientDisconnected" });
  server.close();
});

describe("behind @hono/node-server", () => {
  const { Request, Response } = globalThis;
  afterEach(() => void Object.assign(globalThis, { Request, Response }));

  it("no Response of the platform is made of a text, and a stream is read in the request's context", async () => {
    const app = new Hono();
    const kept: (string | undefined)[][] = [];
    app.use(async (hono, next) => {
      await next();
      kept.push(Object.getOwnPropertySymbols(hono.res).map((each) => each.description));
    });
    app.use(requestContext({ maxTimeout: "5s" }));
    app.get("/text", (hono) => hono.text("ok"));
    app.get("/stream", (hono) => {
      const pull = (controller: ReadableStreamDefaultController): void => {
        controller.enqueue(new TextEncoder().encode(`${current().remaining() <= 5000}`));
        controller.close();
      };
      return hono.body(new ReadableStream({ pull }, { highWaterMark: 0 }));
    });
    const server = serve({ fetch: app.fetch, port: 0 });
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const bodies = ["/text", "/stream"].map(async (path) => (await fetch(`http://localhost:${port}${path}`)).text());
    expect(await Promise.all(bodies)).toEqual(["ok", "true"]);
    expect(kept).toEqual([["cache"], ["cache"]]);
    server.close();
  });
});

describe("with an SDK", () => {
  const spans = recordSpans();

  it("the span is named after the route, also in an application inside; one that is not found has none", async () => {
    const [app, items] = [new Hono(), new Hono()];
    app.use(requestContext());
    items.use("/*", (_hono, next) => next());
    items.get("/:id", (hono) => hono.text("ok"));
    app.route("/items", items);
    for (const path of ["/items/7", "/nothing", "/items/7/nothing"]) await (await app.request(path)).text();

    const ended = await spans.take(3);
    expect(ended.map(({ name }) => name)).toEqual(["GET /items/:id", "GET", "GET"]);
  });

  it("the span is named after the route of an application that requires Hono as CommonJS", async () => {
    const required = createRequire(import.meta.url)("hono") as { Hono: typeof Hono };
    expect(required.Hono).not.toBe(Hono);
    const app = new required.Hono();
    app.use(requestContext());
    app.get("/items/:id", (hono) => hono.text("ok"));
    await (await app.request("/items/7")).text();

    const [span] = await spans.take(1);
    expect(span!.name).toBe("GET /items/:id");
  });

  it("an error of the application is recorded, although its handler answers", async () => {
    const app = new Hono();
    app.use(requestContext());
    app.get("/", () => {
      throw new RangeError("a bug");
    });
    app.onError((_error, hono) => hono.text("sorry", 500));
    await (await app.request("/")).text();

    const [span] = await spans.take(1);
    expect(span!.attributes).toMatchObject({ "http.response.status_code": 500, "error.type": "RangeError" });
  });
});
