/** What each was made of. */
const originals = new WeakMap<Response, Response>();

/** A response with another body. One made by hand has no address, and only the usual statuses: it has those of another. */
class Rebodied extends Response {}

Object.defineProperty(Rebodied.prototype, "clone", {
  configurable: true,
  writable: true,
  value(this: Response): Response {
    return rebodied(this, Response.prototype.clone.call(this).body);
  },
});

// On the prototype: to define as many properties on each response would cost more than all the rest.
for (const name of ["status", "statusText", "ok", "url", "redirected", "type"] as const) {
  Object.defineProperty(Rebodied.prototype, name, {
    configurable: true,
    get(this: Response): unknown {
      return originals.get(this)?.[name];
    },
  });
}

/** The response with another body, and all else as it was. */
export function rebodied(original: Response, body: ReadableStream | null): Response {
  const response = new Rebodied(body, { headers: original.headers });
  originals.set(response, original);
  return response;
}
