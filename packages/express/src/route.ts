import { mountOf, type Mounted } from "./mount.ts";

/** What Express adds to a request: what was sent, the route that matched, and the application. */
export type Routed = Mounted;

/**
 * The route that a request has matched, as it was written, with the paths that its routers are mounted under; `undefined` if none has, or
 * where it cannot be told as it was written: a path as it was sent is no route, and has values without number.
 */
export function routeOf(req: Routed): string | undefined {
  const path = req.route?.path;
  const mount = mountOf(req);
  return typeof path === "string" && mount !== undefined ? mount + path || "/" : undefined;
}
