/** What Express adds to a request: what was sent, where the router is mounted, and the route that matched. */
export interface Routed {
  readonly originalUrl?: string;
  readonly baseUrl?: string;
  readonly route?: { readonly path?: unknown } | undefined;
}

/**
 * The route that a request has matched, with the path that its router is mounted under; `undefined` if none has.
 *
 * On the way to an error handler Express has put that path back. It is then what was sent, less as many segments as the route has, where
 * these can be counted.
 */
export function routeOf({ originalUrl = "", baseUrl = "", route }: Routed): string | undefined {
  if (typeof route?.path !== "string") return undefined;
  const { path } = route;
  if (baseUrl !== "" || /[*?+(){}]/.test(path)) return baseUrl + path;
  const sent = segments(originalUrl.split("?", 1)[0]!);
  const mounted = sent.slice(0, Math.max(0, sent.length - segments(path).length));
  return mounted.map((segment) => `/${segment}`).join("") + path;
}

function segments(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}
