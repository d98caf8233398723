import { type IncomingRequest, NodeIncoming, type Peer, type RequestHeaders, webHeaders } from "@throughline/http";

import type { NodeHost } from "./node-host.ts";

/** A request as a fetch handler has it, on whatever host. */
export class FetchIncoming implements IncomingRequest {
  readonly #request: Request;
  readonly #url: URL;
  /** The same as Node's server has it, which a handler may look at too. */
  readonly #node: NodeIncoming | undefined;

  constructor(request: Request, host: NodeHost | undefined) {
    this.#request = request;
    this.#url = new URL(request.url);
    this.#node = host === undefined ? undefined : new NodeIncoming(host.req);
  }

  get method(): string {
    return this.#request.method;
  }

  get target(): string {
    return this.#url.pathname + this.#url.search;
  }

  get scheme(): string {
    return this.#url.protocol.slice(0, -1);
  }

  get authority(): string {
    return this.#url.host;
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

  #change(change: (headers: Headers) => void): void {
    try {
      change(this.#request.headers);
    } catch {
      // Those of a host that lets nobody change them are hidden by others.
      const headers = new Headers(this.#request.headers);
      change(headers);
      Object.defineProperty(this.#request, "headers", { value: headers, configurable: true });
    }
  }
}
