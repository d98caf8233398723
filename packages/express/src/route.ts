import type { IncomingMessage } from "node:http";

/** What Express adds to a request: where the router is mounted, and the route that matched. */
interface Routed {
  baseUrl?: string;
  route?: { path?: unknown } | undefined;
}

/**
 * Notes the route that matches, with the path that its router is mounted under. That has to be read when the route is set: by the end,
 * and on the way to an error handler, Express has put the path back.
 */
export function watchRoute(req: IncomingMessage & Routed): () => string | undefined {
  let route = req.route;
  let matched: string | undefined;
  if (Object.getOwnPropertyDescriptor(req, "route")?.set === undefined) {
    Object.defineProperty(req, "route", {
      configurable: true,
      enumerable: true,
      get: () => route,
      set(this: Routed, value: Routed["route"]) {
        route = value;
        if (typeof value?.path === "string") matched = (this.baseUrl ?? "") + value.path;
      },
    });
  }
  return () => matched;
}
