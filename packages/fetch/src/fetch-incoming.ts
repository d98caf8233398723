import {
  type IncomingRequest,
  NodeIncoming,
  type NodeRequest,
  type NodeResponse,
  type Peer,
  type RequestHeaders,
  webHeaders,
} from "@throughline/http/adapter";

/** The request and the response of Node's server behind the Request that a fetch handler receives. */
export interface NodeHost {
  readonly req: NodeRequest;
  readonly res: NodeResponse;
}

/** The `env` that @hono/node-server passes. The context that Hono creates has it too. */
interface HonoEnv {
  readonly incoming?: NodeRequest;
  readonly outgoing?: NodeResponse;
}

/**
 * Finds Node's request and response. @hono/node-server passes them in the second argument, and Hono's middlewares in
 * their context; srvx, and thereby h3, attaches them to the request. On other hosts only the request's signal and the
 * end of the body are observed, and `drain` does not know the requests.
 */
export function nodeHostOf(request: Request, rest: readonly unknown[]): NodeHost | undefined {
  const argument = (rest[0] ?? {}) as HonoEnv & { readonly env?: HonoEnv | null };
  for (const { incoming: req, outgoing: res } of [argument, argument.env ?? {}]) {
    if (req !== undefined && res !== undefined) return { req, res };
  }
  return (request as { runtime?: { node?: NodeHost } }).runtime?.node;
}

/** An incoming request of a fetch handler, on any host. */
export class FetchIncoming implements IncomingRequest {
  readonly #request: Request;
  #parsedUrl: URL | null | undefined;
  /** The same request in Node's server, which a handler may read too. */
  readonly #node: NodeIncoming | undefined;
  /** The headers for the handler, where the host's own are immutable. */
  #changed: Headers | undefined;

  constructor(request: Request, host: NodeHost | undefined) {
    this.#request = request;
    this.#node = host === undefined ? undefined : new NodeIncoming(host.req);
  }

  /** `null` if the request's URL is invalid, as some hosts build it from an invalid `Host` header. */
  get #url(): URL | null {
    if (this.#parsedUrl === undefined) this.#parsedUrl = URL.parse(this.#request.url);
    return this.#parsedUrl;
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
    return this.#node?.authority ?? this.#url?.host;
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
    // A host's own request class may keep a platform Request in a property, from which it makes its clones.
    for (const key of Reflect.ownKeys(request)) {
      const kept: unknown = (request as unknown as Record<PropertyKey, unknown>)[key];
      if (kept instanceof Request) change(kept.headers);
    }
  }

  /**
   * The request for the handler. Where the headers are immutable it is a new Request with the same body: clones of the
   * original would still have the old headers.
   */
  requestForHandler(): Request {
    const request = this.#request;
    if (this.#changed === undefined) return request;
    const { bodyUsed } = request;
    // A Request whose body was read cannot be copied without a new body, which is then read as well.
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
