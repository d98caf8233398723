/** An element of a router's stack, in Express 4 and 5. */
interface Layer {
  readonly route?: Route | undefined;
  readonly handle: { readonly stack?: readonly Layer[] };
  /** The path as it was registered. Set by Express 5.3 and later. */
  readonly rawPath?: unknown;
  /** Set by Express 4: the parameters of the path, and the pattern that it was compiled to. */
  readonly keys?: readonly { readonly name: string | number }[];
  readonly regexp?: RegExp & { readonly fast_slash?: boolean };
}

interface Route {
  readonly path?: unknown;
}

export interface Application {
  /** The router of Express 5. */
  readonly router?: { readonly stack?: readonly Layer[] };
  /** The router of Express 4. */
  readonly _router?: { readonly stack?: readonly Layer[] };
  readonly mountpath?: unknown;
  readonly parent?: Application;
}

/** The properties that Express adds to a request. */
export interface Routed {
  /** The matched route. */
  readonly route?: Route | undefined;
  readonly app?: Application;
  /** The path and query as the client sent them. */
  readonly originalUrl?: string;
}

/**
 * The route that a request has matched, as it was registered, with the paths of its routers: `/users/:id`. Returns
 * `undefined` if no route matched, or if the path was not registered as a string. The path that the client sent is no
 * substitute, because it has an unlimited number of values.
 */
export function routeOf(req: Routed): string | undefined {
  const path = req.route?.path;
  const mount = mountOf(req);
  return typeof path === "string" && mount !== undefined ? mount + path || "/" : undefined;
}

/** The mount paths of each route, since a route is registered once and matched many times. */
const mountsByRoute = new WeakMap<Route, readonly (string | undefined)[]>();

/**
 * The path that the routers of the matched route are mounted at, with names of parameters instead of their values.
 * Returns `undefined` if it is not known. If a router is mounted several times, the path that matches the request
 * counts.
 */
function mountOf({ route, app, originalUrl = "" }: Routed): string | undefined {
  if (route === undefined || app === undefined) return undefined;
  let mounts = mountsByRoute.get(route);
  if (mounts === undefined) mountsByRoute.set(route, (mounts = findMounts(route, app)));
  if (mounts.length <= 1) return mounts[0];
  const matching = mounts.filter((mount) => mount !== undefined && matches(mount, originalUrl));
  return matching.length === 1 ? matching[0] : undefined;
}

/** Whether a path begins with a mount path. */
function matches(mount: string, url: string): boolean {
  const sent = url.split("?", 1)[0]!.split("/");
  return mount.split("/").every((segment, index) => segment.startsWith(":") || segment === sent[index]);
}

function findMounts(route: Route, app: Application): (string | undefined)[] {
  const outer = applicationMount(app);
  return mountsIn(stackOf(app), route).map((mount) =>
    outer === undefined || mount === undefined ? undefined : outer + mount,
  );
}

/** The stack of an application's router. */
export function stackOf(app: Application): readonly Layer[] {
  // Reading `router` of an Express 4 application throws.
  return (app._router ?? app.router)?.stack ?? [];
}

/** The path that an application is mounted at in other applications. */
function applicationMount(app: Application): string | undefined {
  if (app.parent === undefined) return "";
  const outer = applicationMount(app.parent);
  if (outer === undefined || typeof app.mountpath !== "string") return undefined;
  return outer + withoutSlash(app.mountpath);
}

/**
 * The paths to a route in a stack: one for each occurrence of the route, `undefined` if a part of it is not a string.
 *
 * @param outer the stacks that contain this one, since a router may be mounted in itself
 */
function mountsIn(stack: readonly Layer[], route: Route, outer: readonly unknown[] = []): (string | undefined)[] {
  if (outer.includes(stack)) return [];
  return stack.flatMap((layer) => {
    if (layer.route !== undefined) return layer.route === route ? [""] : [];
    const inner = mountsIn(layer.handle.stack ?? [], route, [...outer, stack]);
    const path = inner.length === 0 ? undefined : pathOf(layer);
    return inner.map((rest) => (path === undefined || rest === undefined ? undefined : path + rest));
  });
}

function pathOf({ rawPath, regexp, keys }: Layer): string | undefined {
  if (typeof rawPath === "string") return withoutSlash(rawPath);
  if (rawPath !== undefined || regexp === undefined) return undefined;
  return regexp.fast_slash ? "" : decompile(regexp, keys ?? []);
}

/** The pattern that Express 4 compiles a parameter to, with the slash before it. */
const PARAMETER = /\(\?:\\\/\(\[\^\\?\/\]\+\?\)\)/g;

/** The path that Express 4 has compiled to a pattern, if it consists of literal segments and parameters. */
function decompile({ source }: RegExp, keys: NonNullable<Layer["keys"]>): string | undefined {
  let count = 0;
  const path = source
    .replace("^", "")
    .replace("\\/?(?=\\/|$)", "")
    .replaceAll(PARAMETER, () => `/:${String(keys[count++]?.name)}`)
    .replaceAll(/\\([/.-])/g, "$1");
  return /[\\^$*+?()[\]{}|]/.test(path) ? undefined : path;
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
