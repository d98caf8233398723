import { expect, it } from "vitest";

import { routeOf } from "./route.ts";

it.each([
  [
    "the path of the router and the route's",
    { originalUrl: "/api/items/7?q=1", baseUrl: "/api", route: { path: "/items/:id" } },
    "/api/items/:id",
  ],
  [
    "the same where Express has put the router's path back",
    { originalUrl: "/api/items/7?q=1", baseUrl: "", route: { path: "/items/:id" } },
    "/api/items/:id",
  ],
  [
    "the route's own where there is no router",
    { originalUrl: "/items/7/", route: { path: "/items/:id" } },
    "/items/:id",
  ],
  ["the router's own path", { originalUrl: "/api/", baseUrl: "", route: { path: "/" } }, "/api/"],
  [
    "the route's alone where its segments cannot be counted",
    { originalUrl: "/api/files/a/b", baseUrl: "", route: { path: "/files/*rest" } },
    "/files/*rest",
  ],
  ["nothing where no route matched", { originalUrl: "/nowhere" }, undefined],
  ["nothing for a route that is a pattern or a list", { originalUrl: "/a", route: { path: [/a/, "/b"] } }, undefined],
])("a route is %s", (_what, request, route) => {
  expect(routeOf(request)).toBe(route);
});
