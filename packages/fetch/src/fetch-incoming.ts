import {
  type IncomingRequest,
  NodeIncoming,
  type Peer,
  type RequestHeaders,
  webHeaders,
} from "@throughline/http/adapter";

import type { NodeHost } from "./node-host.ts";

/** A request as a fetch handler has it, on whatever host. */
export class FetchIncoming implements IncomingRequest {
  readonly #request: Request;
  /** `null` where a host has made a URL that is none, of a header `Host` that is none. */
  readonly #url: URL | null;
  /** The same as Node's server has it, which a handler may look at too. */
  readonly #node: NodeIncoming | undefined;
  /** What a host's immutable headers should be. */
  #changed: Headers | undefined;

  constructor(request: Request, host: NodeHost | undefined) {
    this.#request = request;
    this.#url = URL.parse(request.url);
    this.#node = host === undefined ? undefined : new NodeIncoming(host.req);
  }

  get method(): string {
    return this.#request.method;
  }

  get target(): string {
    return this.#url === null ? this.#request.url : this.#url.pathname + this.#url.search;
  }

  get scheme(): string {
    return this.#url?.protocol.slice(0, -1) ?? "http";
  }

  get authority(): string | undefined {
    return this.#url?.host ?? this.#node?.authority;
  }

  get protocolVersion(): string | undefined {
    return this.#node?.protocolVersion;
  }

  get clientAddress(): string | undefined {
    return this.#node?.clientAddress;
  }

  get headers(): RequestHeaders {
    return webHeaders(this.#request.headers);
  }

  get connection(): object | undefined {
    return this.#node?.connection;
  }

  get peer(): Peer | undefined {
    return this.#node?.peer;
  }

  remove(name: string): void {
    this.#change((headers) => headers.delete(name));
    this.#node?.remove(name);
  }

  replace(name: string, value: string): void {
    this.#change((headers) => headers.set(name, value));
    this.#node?.replace(name, value);
  }

  removeTrailers(isUnwanted: (name: string) => boolean): void {
    this.#node?.removeTrailers(isUnwanted);
  }

  #change(change: (headers: Headers) => void): void {
    const request = this.#request;
    try {
      change(request.headers);
    } catch {
      this.#changed ??= new Headers(request.headers);
      change(this.#changed);
      Object.defineProperty(request, "headers", { value: this.#changed, configurable: true });
    }
    // A host's own kind of request may keep a real one, of which copies are made.
    for (const key of Reflect.ownKeys(request)) {
      const kept: unknown = (request as unknown as Record<PropertyKey, unknown>)[key];
      if (kept instanceof Request) change(kept.headers);
    }
  }

  /** The request for the handler: where its headers could not be changed, another with the same body, as all copies of the first have them still. */
  handlersRequest(): Request {
    const request = this.#request;
    if (this.#changed === undefined) return request;
    const { bodyUsed } = request;
    // One that has been read can only be replaced with another body, which is then read too.
    const replacement = new Request(request, {
      headers: this.#changed,
      ...(bodyUsed ? { body: new Uint8Array() } : {}),
    });
    if (bodyUsed) void replacement.arrayBuffer();
    for (const key of Reflect.ownKeys(request)) {
      const property = Object.getOwnPropertyDescriptor(request, key)!;
      if (key !== "headers" && !Object.hasOwn(replacement, key)) Object.defineProperty(replacement, key, property);
    }
    return replacement;
  }
}
