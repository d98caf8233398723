/** A step of a router's stack, as Express 4 and 5 keep it. */
interface Layer {
  readonly route?: Route | undefined;
  readonly handle: { readonly stack?: readonly Layer[] };
  /** Express 5.3 keeps the path as it was written. */
  readonly rawPath?: unknown;
  /** Express 4: the parameters in the path, and the pattern made of it. */
  readonly keys?: readonly { readonly name: string | number }[];
  readonly regexp?: RegExp & { readonly fast_slash?: boolean };
}

interface Route {
  readonly path?: unknown;
}

export interface Application {
  /** Of Express 5 and 4. */
  readonly router?: { readonly stack?: readonly Layer[] };
  readonly _router?: { readonly stack?: readonly Layer[] };
  readonly mountpath?: unknown;
  readonly parent?: Application;
}

/** What of a request tells where the route that it matched is mounted. */
export interface Mounted {
  readonly route?: Route | undefined;
  readonly app?: Application;
  /** The path and query as they were sent. */
  readonly originalUrl?: string;
}

/** Routes are registered once, and matched a million times. */
const known = new WeakMap<Route, readonly (string | undefined)[]>();

/**
 * The path that a matched route's routers are mounted under, with parameters by their names, not by what was sent: `/users/:id`. `undefined` where
 * that cannot be told. Where there are several, as for a router that is mounted twice, the one that fits what was sent.
 */
export function mountOf({ route, app, originalUrl = "" }: Mounted): string | undefined {
  if (route === undefined || app === undefined) return undefined;
  let mounts = known.get(route);
  if (mounts === undefined) known.set(route, (mounts = find(route, app)));
  if (mounts.length <= 1) return mounts[0];
  const fitting = mounts.filter((mount) => mount !== undefined && fits(mount, originalUrl));
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** Whether a path begins as a pattern does. */
function fits(mount: string, url: string): boolean {
  const sent = url.split("?", 1)[0]!.split("/");
  return mount.split("/").every((segment, index) => segment.startsWith(":") || segment === sent[index]);
}

function find(route: Route, app: Application): (string | undefined)[] {
  const above = applicationMount(app);
  return mountsIn(stackOf(app), route).map((mount) =>
    above === undefined || mount === undefined ? undefined : above + mount,
  );
}

export function stackOf(app: Application): readonly Layer[] {
  // Express 4 throws where its application is asked for `router`.
  return (app._router ?? app.router)?.stack ?? [];
}

/** Where an application is mounted in others. */
function applicationMount(app: Application): string | undefined {
  if (app.parent === undefined) return "";
  const above = applicationMount(app.parent);
  if (above === undefined || typeof app.mountpath !== "string") return undefined;
  return above + withoutSlash(app.mountpath);
}

/**
 * The paths to a route below this stack: one for each time that it is found there; `undefined` for one that cannot be written.
 *
 * @param above stacks that this one is in: a router may be mounted in itself
 */
function mountsIn(stack: readonly Layer[], route: Route, above: readonly unknown[] = []): (string | undefined)[] {
  if (above.includes(stack)) return [];
  return stack.flatMap((layer) => {
    if (layer.route !== undefined) return layer.route === route ? [""] : [];
    const below = mountsIn(layer.handle.stack ?? [], route, [...above, stack]);
    const path = below.length === 0 ? undefined : pathOf(layer);
    return below.map((rest) => (path === undefined || rest === undefined ? undefined : path + rest));
  });
}

function pathOf({ rawPath, regexp, keys }: Layer): string | undefined {
  if (typeof rawPath === "string") return withoutSlash(rawPath);
  if (rawPath !== undefined || regexp === undefined) return undefined;
  return regexp.fast_slash ? "" : writtenOut(regexp, keys ?? []);
}

/** What Express 4 makes of one parameter, with the slash before it. */
const PARAMETER = /\(\?:\\\/\(\[\^\\?\/\]\+\?\)\)/g;

/** The path that Express 4 made a pattern of, if it had nothing but words and parameters. */
function writtenOut({ source }: RegExp, keys: NonNullable<Layer["keys"]>): string | undefined {
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
