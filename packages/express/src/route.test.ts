import express from "express";
import express4 from "express4";
import request from "supertest";
import { describe, expect, it } from "vitest";

import { type Routed, routeOf } from "./route.ts";

const frameworks = [
  ["Express 5", express],
  ["Express 4", express4 as unknown as typeof express],
] as const;

describe.each(frameworks)("a route of %s is told as it was written", (_name, framework) => {
  /** What is told of a request when its response is over. */
  async function routeAt(path: string, register: (app: express.Express) => void): Promise<string | undefined> {
    const app = framework();
    const told = Promise.withResolvers<string | undefined>();
    app.use((req, res, next) => {
      res.once("close", () => told.resolve(routeOf(req as unknown as Routed)));
      next();
    });
    register(app);
    app.use(((_error, _req, res, _next) => void res.status(500).end()) as express.ErrorRequestHandler);
    await request(app).get(path);
    return told.promise;
  }

  const answer: express.RequestHandler = (_req, res) => void res.end();
  const fail: express.RequestHandler = () => {
    throw new Error("a bug");
  };

  function routerWith(path: string, ...handlers: express.RequestHandler[]): express.Router {
    const router = framework.Router();
    router.get(path, ...handlers);
    return router;
  }

  it("in the application itself", async () => {
    expect(await routeAt("/items/7/", (app) => app.get("/items/:id", answer))).toBe("/items/:id");
  });

  it.each([
    ["answers", answer],
    ["fails", fail],
  ])("with the path that its router is mounted under, where it %s", async (_how, handler) => {
    expect(await routeAt("/api/items/7?q=1", (app) => app.use("/api", routerWith("/items/:id", handler)))).toBe(
      "/api/items/:id",
    );
  });

  it("with parameters of routers by their names, however deep", async () => {
    const users = framework.Router();
    users.use("/:user/the-items", framework.Router().use(routerWith("/:id", answer)));
    expect(await routeAt("/users/42/the-items/7", (app) => app.use("/users", users))).toBe(
      "/users/:user/the-items/:id",
    );
  });

  it("in an application that is mounted in another", async () => {
    const inner = framework();
    inner.use("/items", routerWith("/:id", answer));
    expect(await routeAt("/inner/items/7", (app) => app.use("/inner", inner))).toBe("/inner/items/:id");
  });

  it("where a router is mounted twice, by the path that fits", async () => {
    const [items, others] = [routerWith("/:id", answer), routerWith("/:id", answer)];
    expect(await routeAt("/b/7", (app) => app.use("/a", items).use("/b", items))).toBe("/b/:id");
    expect(await routeAt("/x/b/7", (app) => app.use("/:tenant/a", others).use("/:tenant/b", others))).toBe(
      "/:tenant/b/:id",
    );
  });

  it("where a router is mounted in itself, by the way that leads there once", async () => {
    const items = routerWith("/:id", answer);
    items.use("/:id/replies", items);
    expect(await routeAt("/items/7", (app) => app.use("/items", items))).toBe("/items/:id");
  });

  it("as nothing where its router is mounted by a pattern", async () => {
    expect(await routeAt("/v1/7", (app) => app.use(/\/v\d/, routerWith("/:id", answer)))).toBeUndefined();
  });

  it("as nothing where none matched, or it is a pattern or a list", async () => {
    expect(await routeAt("/nowhere", () => {})).toBeUndefined();
    expect(await routeAt("/a", (app) => app.get([/a/, "/b"], answer))).toBeUndefined();
  });
});
