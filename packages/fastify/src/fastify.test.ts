import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";

import { createKey, current, DeadlineExceeded, withTimeout, withValue } from "@throughline/context";
import { Forbidden, ServerDraining, Unauthenticated } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { openRequest } from "@throughline/testing";
import fastify, { type FastifyInstance } from "fastify";
import { afterEach, describe, expect, it, vi } from "vitest";

import { answerError, guard, requestContext, type RequestContextOptions, routeContext } from "./index.ts";

interface Logged {
  readonly level: number;
  readonly msg?: string;
  readonly err?: { readonly message: string };
}

const WARN = 40;
const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

/** An application with the plugin, and all that it logs. */
async function application(options: RequestContextOptions = {}): Promise<{ app: FastifyInstance; logged: Logged[] }> {
  const logged: Logged[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(JSON.parse(String(chunk)) as Logged);
      done();
    },
  });
  const app = fastify({ logger: { level: "info", stream } }) as unknown as FastifyInstance;
  apps.push(app);
  await app.register(requestContext, options);
  return { app, logged };
}

const complaints = (logged: Logged[]): Logged[] => logged.filter(({ level }) => level >= WARN);

async function ownDeadline(): Promise<void> {
  const [ctx] = withTimeout(current(), 5);
  await sleep(ctx, "10s");
}

describe("errors of this library", () => {
  it.each([
    ["a deadline that the handler sets", ownDeadline, 504],
    [
      "a deadline that is the cause of another error",
      () => failWith(new Error("a", { cause: new DeadlineExceeded() })),
      504,
    ],
    ["a request that is not allowed", () => failWith(new Forbidden()), 403],
    ["a request that is not authenticated", () => failWith(new Unauthenticated()), 401],
  ] as const)("answers %s, without a log entry and without the error handler", async (_what, handler, status) => {
    const { app, logged } = await application();
    const onError = vi.fn<() => void>();
    app.setErrorHandler(onError);
    app.get("/", handler);

    const response = await app.inject("/");
    expect(response.statusCode).toBe(status);
    expect(response.headers["content-type"]).toBe("application/problem+json");
    expect(response.json()).toMatchObject({ status });
    expect([onError.mock.calls, complaints(logged)]).toEqual([[], []]);
  });

  it("keeps the headers that hooks have set, except those of the handler's body", async () => {
    const { app } = await application();
    app.addHook("onRequest", async (_request, reply) => void reply.header("access-control-allow-origin", "*"));
    app.get("/", async (_request, reply) => {
      reply.headers({ "content-encoding": "gzip", etag: '"x"', "content-length": 5000 });
      await ownDeadline();
    });

    const { statusCode, headers } = await app.inject("/");
    expect([statusCode, headers["access-control-allow-origin"]]).toEqual([504, "*"]);
    expect([headers["etag"], headers["content-encoding"]]).toEqual([undefined, undefined]);
  });

  it("leaves all other errors to the error handler of the scope", async () => {
    const { app } = await application();
    app.setErrorHandler(async (error: Error, _request, reply) => reply.code(500).send(`root: ${error.message}`));
    app.register(async (scope) => {
      scope.setErrorHandler(async (error: Error, _request, reply) => reply.code(500).send(`scope: ${error.message}`));
      scope.get("/scope", () => failWith(new Error("a bug")));
    });
    app.get("/root", () => failWith(new Error("a bug")));

    expect((await app.inject("/root")).body).toBe("root: a bug");
    expect((await app.inject("/scope")).body).toBe("scope: a bug");
  });

  it("with `answerErrors: false` the error handler gets them, and can call `answerError`", async () => {
    const { app } = await application({ answerErrors: false });
    const seen: unknown[] = [];
    app.setErrorHandler((error, request, reply) => {
      seen.push(error);
      if (!answerError(error, request, reply)) void reply.code(500).send("the application's own");
    });
    app.get("/late", ownDeadline);
    app.get("/bug", () => failWith(new Error("a bug")));

    expect((await app.inject("/late")).json()).toMatchObject({ status: 504 });
    expect((await app.inject("/bug")).body).toBe("the application's own");
    expect(seen).toEqual([expect.any(DeadlineExceeded), expect.any(Error)]);
  });
});

describe("a handler that continues after the deadline", () => {
  it.each<[string, (app: FastifyInstance) => void]>([
    ["returns", (app) => void app.get("/", async () => (await late(), "too late"))],
    ["rejects", (app) => void app.get("/", async () => (await late(), current().throwIfAborted()))],
    ["sends", (app) => void app.get("/", (_request, reply) => void late().then(() => reply.send("too late")))],
    ["hijacks", (app) => void app.get("/", async (_request, reply) => (await late(), void reply.hijack()))],
  ])("and %s has no effect, and is not logged", async (_what, route) => {
    const { app, logged } = await application({ maxTimeout: 20 });
    route(app);

    const response = await app.inject("/");
    expect([response.statusCode, response.json()]).toMatchObject([504, { title: "Deadline exceeded" }]);
    await late();
    expect(complaints(logged)).toEqual([]);
  });

  it("and rejects with an error of its own is logged", async () => {
    const { app, logged } = await application({ maxTimeout: 20 });
    app.get("/", async () => (await late(), failWith(new Error("a bug"))));

    expect((await app.inject("/")).statusCode).toBe(504);
    await late();
    expect(complaints(logged)).toEqual([
      expect.objectContaining({ err: expect.objectContaining({ message: "a bug" }) }),
    ]);
  });

  it("does not run if a hook has passed it on only then", async () => {
    const { app } = await application({ maxTimeout: 20 });
    const handler = vi.fn<() => string>(() => "too late");
    app.addHook("preHandler", late);
    app.get("/", handler);

    expect((await app.inject("/")).statusCode).toBe(504);
    await late();
    expect(handler).not.toHaveBeenCalled();
  });
});

describe("scopes", () => {
  it("a plugin in an encapsulated scope leaves other routes alone, and shortens the deadline of its own", async () => {
    const { app } = await application({ maxTimeout: "9s" });
    const left = async (): Promise<string> => String(current().remaining());
    app.get("/outer", left);
    app.register(
      async (scope) => {
        await scope.register(requestContext, { maxTimeout: "2s" });
        scope.get("/", left);
        scope.get("/route", { onRequest: routeContext({ maxTimeout: "500ms" }) }, left);
        scope.get("/more", { onRequest: routeContext({ maxTimeout: "1h" }) }, left);
      },
      { prefix: "/inner" },
    );
    const [outer, inner, route, more] = await Promise.all(
      ["/outer", "/inner", "/inner/route", "/inner/more"].map(async (url) => Number((await app.inject(url)).body)),
    );

    expect([outer! > 2000, inner! <= 2000 && inner! > 500, route! <= 500, more! <= 2000]).toEqual(Array(4).fill(true));
  });

  it("requests outside of the plugin's scope have no context", async () => {
    const app = fastify();
    app.register(async (scope) => {
      await scope.register(requestContext, { maxTimeout: "2s" });
      scope.get("/inside", async () => String(current().remaining()));
    });
    app.get("/outside", async () => String(current().remaining()));

    expect(Number((await app.inject("/inside")).body)).toBeLessThanOrEqual(2000);
    expect((await app.inject("/outside")).body).toBe("Infinity");
  });

  it("`request.ctx` is the current context, after body parsers and guards too", async () => {
    const { app } = await application({ maxTimeout: "2s" });
    const tenantKey = createKey<string>("tenant");
    const preHandler = guard(({ ctx }) => withValue(ctx, tenantKey, "acme"));
    app.post("/", { preHandler }, async (request) => ({
      body: request.body,
      isCurrent: request.ctx === current(),
      tenant: request.ctx.value(tenantKey),
    }));

    const response = await app.inject({ method: "POST", url: "/", payload: { a: 1 } });
    expect(response.json()).toEqual({ body: { a: 1 }, isCurrent: true, tenant: "acme" });
  });

  it("a guard that throws answers, and the handler does not run", async () => {
    const { app } = await application();
    const handler = vi.fn<() => string>(() => "ran");
    const preHandler = guard(() => {
      throw new Unauthenticated();
    });
    app.get("/", { preHandler }, handler);

    const { statusCode, headers } = await app.inject("/");
    expect([statusCode, headers["www-authenticate"]]).toEqual([401, "Bearer"]);
    expect(handler).not.toHaveBeenCalled();
  });

  it.each([
    [{ maxTimeout: "later" }, /'maxTimeout'/],
    [{ shutdownTimeout: "later" }, /'shutdownTimeout'/],
    [{ timeout: "1s" }, /timeout/],
  ])("registering it with %j fails", async (options, message) => {
    await expect(fastify().register(requestContext, options as RequestContextOptions)).rejects.toThrow(message);
  });

  it("accepts Fastify's own options of `register`", async () => {
    const app = fastify();
    await app.register(requestContext, { prefix: "/a", logLevel: "warn", maxTimeout: "1s" } as RequestContextOptions);
    app.get("/", async () => String(current().remaining() <= 1000));
    expect((await app.inject("/")).body).toBe("true");
  });
});

describe("close", () => {
  /** Opens a request on each server that listens on localhost, and waits until their handlers run. */
  async function busy(app: FastifyInstance, handler: () => Promise<string>): Promise<Promise<Response>[]> {
    const running = vi.fn<() => Promise<string>>(handler);
    app.get("/", running);
    await app.listen({ port: 0, host: "localhost" });
    const replies = (app.addresses() as AddressInfo[]).map(({ address, family, port }) => {
      const host = family === "IPv6" ? `[${address}]` : address;
      return fetch(`http://${host}:${port}/`);
    });
    await vi.waitUntil(() => running.mock.calls.length === replies.length);
    return replies;
  }

  it("waits for active requests", async () => {
    const { app } = await application();
    const finish = Promise.withResolvers<string>();
    const replies = await busy(app, () => finish.promise);
    const closed = app.close();
    setTimeout(() => finish.resolve("finished"), 20);

    for (const reply of replies) expect(await (await reply).text()).toBe("finished");
    await closed;
  });

  it("cancels the requests that are active after `shutdownTimeout`, on all its servers", async () => {
    const { app } = await application({ shutdownTimeout: 20 });
    const causes: unknown[] = [];
    const replies = await busy(app, async () => {
      const ctx = current();
      await sleep(ctx, "1h").finally(() => causes.push(ctx.cause()));
      return "never";
    });
    const closed = app.close();

    for (const reply of replies) {
      const { status, headers } = await reply;
      expect([status, headers.get("throughline-outcome")]).toEqual([503, "draining;started=?1"]);
    }
    expect(causes).toEqual(replies.map(() => expect.any(ServerDraining) as unknown));
    await closed;
  });
});

it("serves over HTTP/2", async () => {
  const app = fastify({ http2: true });
  await app.register(requestContext, { maxTimeout: 50 });
  app.get("/", async () => (await late(), "too late"));
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ":path": "/" });
  const status = new Promise((resolve) => stream.once("response", (head) => resolve(head[":status"])));

  expect([await status, JSON.parse(await text(stream))]).toMatchObject([504, { title: "Deadline exceeded" }]);
  session.close();
  await app.close();
});

it("ends the context when the client leaves after its body was read, when `request.raw` has long ended", async () => {
  const { app } = await application();
  const [running, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
  app.post("/", async () => {
    const ctx = current();
    running.resolve();
    await sleep(ctx, "10s").catch(() => ended.resolve(ctx.cause()));
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { leave } = await openRequest(app.server, { headers: { "content-type": "application/json" }, body: "{}" });
  await running.promise;
  leave();

  expect(await ended.promise).toMatchObject({ name: "ClientDisconnected" });
});

describe("with an SDK", () => {
  const spans = recordSpans();

  it("the span is named after the route, with the prefixes of its scopes; a route that is not found has none", async () => {
    const { app } = await application();
    app.register(async (scope) => void scope.get("/:id", async () => "ok"), { prefix: "/items" });
    await app.inject("/items/7");
    await app.inject("/nothing");

    const [found, missing] = await spans.take(2);
    expect([found!.name, found!.attributes["http.route"]]).toEqual(["GET /items/:id", "/items/:id"]);
    expect([missing!.name, missing!.attributes["http.route"]]).toEqual(["GET", undefined]);
  });

  it("an error of the application is recorded, although its handler answers", async () => {
    const { app } = await application();
    app.get("/", () => failWith(new RangeError("a bug")));
    await app.inject("/");

    const [span] = await spans.take(1);
    expect(span!.attributes).toMatchObject({ "http.response.status_code": 500, "error.type": "RangeError" });
  });
});

/** Longer than the deadlines here. */
function late(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 80));
}

async function failWith(error: Error): Promise<never> {
  throw error;
}
