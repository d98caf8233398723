/** How many addresses are kept: far more than a client has. */
const MOST = 1000;

/** Gives the addresses of procedures, each of which is parsed once. */
export function addressesOf(isSecure: boolean): (target: string, path: string) => URL | undefined {
  const known = new Map<string, URL | undefined>();
  return (target, path) => {
    const key = target + path;
    if (known.has(key)) return known.get(key);
    if (known.size >= MOST) known.clear();
    const url = parsed(target, path, isSecure);
    known.set(key, url);
    return url;
  };
}

/**
 * The address of a procedure, by the target of its channel: `dns:///inventory.internal:50051`, `ipv4:10.0.0.7:50051`, `localhost:50051`. `undefined`
 * for what is no host, such as a unix socket, or for several.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/naming.md
 */
function parsed(target: string, path: string, isSecure: boolean): URL | undefined {
  const host = /^(?:(?:dns|passthrough):(?:\/\/[^/]*\/)?|ipv[46]:)?((?:\[[\da-f:.%]+\]|[\w.-]+)(?::\d+)?)$/i.exec(
    target,
  )?.[1];
  if (host === undefined) return undefined;
  return URL.parse(path, `${isSecure ? "https" : "http"}://${host}`) ?? undefined;
}
