import { mountOf, type Mounted } from "./mount.ts";

/** What Express adds to a request: what was sent, where the router is mounted, the route that matched, and the application. */
export interface Routed extends Mounted {
  readonly originalUrl?: string;
  readonly baseUrl?: string;
}

/**
 * The route that a request has matched, as it was written, with the paths that its routers are mounted under; `undefined` if none
 * has, or where it is a pattern or a list.
 */
export function routeOf(req: Routed): string | undefined {
  const path = req.route?.path;
  if (typeof path !== "string") return undefined;
  return (mountOf(req) ?? sentMount(req, path)) + path || "/";
}

/**
 * The path of the router as it was sent. On the way to an error handler Express has put it back: it is then what was sent, less as many
 * segments as the route has, where these can be counted.
 */
function sentMount({ originalUrl = "", baseUrl = "" }: Routed, path: string): string {
  if (baseUrl !== "" || /[*?+(){}]/.test(path)) return baseUrl;
  const sent = segments(originalUrl.split("?", 1)[0]!);
  const mounted = sent.slice(0, Math.max(0, sent.length - segments(path).length));
  return mounted.map((segment) => `/${segment}`).join("");
}

function segments(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}
