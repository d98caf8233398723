import type { ServerRequest } from "./server-request.ts";

/** The requests that a server is handling. */
export class ActiveRequests implements Iterable<ServerRequest> {
  count = 0;
  /** A linked list, so that adding and removing a request costs a few writes and allocates nothing. */
  #newest: ServerRequest | undefined = undefined;
  #onIdle: (() => void) | undefined = undefined;

  add(serverRequest: ServerRequest): void {
    const next = this.#newest;
    serverRequest.active = this;
    serverRequest.next = next;
    if (next !== undefined) next.previous = serverRequest;
    this.#newest = serverRequest;
    this.count += 1;
  }

  remove(serverRequest: ServerRequest): void {
    const { next, previous } = serverRequest;
    if (next !== undefined) next.previous = previous;
    if (previous === undefined) this.#newest = next;
    else previous.next = next;
    serverRequest.active = serverRequest.next = serverRequest.previous = undefined;
    this.count -= 1;
    if (this.count === 0) this.#onIdle?.();
  }

  /** Resolves when no request is active. */
  untilIdle(): Promise<void> {
    if (this.count === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onIdle = resolve));
  }

  /** Yields the newest request first. Do not add or remove requests while iterating. */
  *[Symbol.iterator](): Generator<ServerRequest> {
    for (let each = this.#newest; each !== undefined; each = each.next) yield each;
  }
}

const byServer = new WeakMap<object, ActiveRequests>();

/** The active requests of a server. The same object is returned for the same server. */
export function activeRequestsOf(server: object): ActiveRequests {
  let active = byServer.get(server);
  if (active === undefined) byServer.set(server, (active = new ActiveRequests()));
  return active;
}
