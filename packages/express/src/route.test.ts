import express from "express";
import express4 from "express4";
import request from "supertest";
import { describe, expect, it } from "vitest";

import { type Routed, routeOf } from "./route.ts";

const frameworks = [
  ["Express 5", express],
  ["Express 4", express4 as unknown as typeof express],
] as const;

describe.each(frameworks)("the route of a request in %s", (_name, framework) => {
  /** The route of a request when its response has closed. */
  async function routeAt(path: string, register: (app: express.Express) => void): Promise<string | undefined> {
    const app = framework();
    const route = Promise.withResolvers<string | undefined>();
    app.use((req, res, next) => {
      res.once("close", () => route.resolve(routeOf(req as unknown as Routed)));
      next();
    });
    register(app);
    app.use(((_error, _req, res, _next) => void res.status(500).end()) as express.ErrorRequestHandler);
    await request(app).get(path);
    return route.promise;
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

  it("is the path of a route in the application", async () => {
    expect(await routeAt("/items/7/", (app) => app.get("/items/:id", answer))).toBe("/items/:id");
  });

  it.each([
    ["answers", answer],
    ["fails", fail],
  ])("includes the mount path of its router if the handler %s", async (_how, handler) => {
    expect(await routeAt("/api/items/7?q=1", (app) => app.use("/api", routerWith("/items/:id", handler)))).toBe(
      "/api/items/:id",
    );
  });

  it("has the names of parameters in mount paths of nested routers", async () => {
    const users = framework.Router();
    users.use("/:user/the-items", framework.Router().use(routerWith("/:id", answer)));
    expect(await routeAt("/users/42/the-items/7", (app) => app.use("/users", users))).toBe(
      "/users/:user/the-items/:id",
    );
  });

  it("includes the path of a mounted application", async () => {
    const inner = framework();
    inner.use("/items", routerWith("/:id", answer));
    expect(await routeAt("/inner/items/7", (app) => app.use("/inner", inner))).toBe("/inner/items/:id");
  });

  it("has the matching mount path if a router is mounted twice", async () => {
    const [items, others] = [routerWith("/:id", answer), routerWith("/:id", answer)];
    expect(await routeAt("/b/7", (app) => app.use("/a", items).use("/b", items))).toBe("/b/:id");
    expect(await routeAt("/x/b/7", (app) => app.use("/:tenant/a", others).use("/:tenant/b", others))).toBe(
      "/:tenant/b/:id",
    );
  });

  it("has the shortest path if a router is mounted in itself", async () => {
    const items = routerWith("/:id", answer);
    items.use("/:id/replies", items);
    expect(await routeAt("/items/7", (app) => app.use("/items", items))).toBe("/items/:id");
  });

  it("is undefined if the router is mounted with a regular expression", async () => {
    expect(await routeAt("/v1/7", (app) => app.use(/\/v\d/, routerWith("/:id", answer)))).toBeUndefined();
  });

  it("is undefined if no route matched, or the path is a regular expression or a list", async () => {
    expect(await routeAt("/nowhere", () => {})).toBeUndefined();
    expect(await routeAt("/a", (app) => app.get([/a/, "/b"], answer))).toBeUndefined();
  });
});
