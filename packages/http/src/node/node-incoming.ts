import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";

import type { IncomingRequest, Peer } from "../observe/server-request.ts";
import { NodeHeaders, removePairs } from "../wire/headers.ts";
import { removeHeader, removeStreamTrailers, removeTrailers, replaceHeader } from "./edit-headers.ts";
import type { NodeRequest } from "./node-types.ts";
import { peerOf } from "./peer.ts";

/** A request of `node:http`, or of the compatibility API of `node:http2`. Most of it is read only where somebody traces. */
export class NodeIncoming implements IncomingRequest {
  readonly #req: NodeRequest;
  readonly headers: NodeHeaders;

  constructor(req: NodeRequest) {
    this.#req = req;
    this.headers = new NodeHeaders(req.headers);
  }

  get method(): string {
    return this.#req.method ?? "GET";
  }

  /** A router may have shortened `url`; Express keeps what was sent. */
  get target(): string {
    return (this.#req as { originalUrl?: string }).originalUrl ?? this.#req.url ?? "/";
  }

  get scheme(): string {
    const { headers, socket } = this.#req as IncomingMessage & Http2ServerRequest;
    return headers[":scheme"] === "https" || (socket as TLSSocket | null)?.encrypted ? "https" : "http";
  }

  get authority(): string | undefined {
    const headers: IncomingHttpHeaders = this.#req.headers;
    return headers[":authority"] ?? headers.host;
  }

  get protocolVersion(): string {
    const { httpVersion } = this.#req;
    return httpVersion === "2.0" ? "2" : httpVersion;
  }

  get clientAddress(): string | undefined {
    return this.#req.socket?.remoteAddress;
  }

  get connection(): object | undefined {
    return "stream" in this.#req ? undefined : this.#req.socket;
  }

  get peer(): Peer | undefined {
    const { socket } = this.#req;
    if (socket === null) return undefined;
    // Without its session, a stream's socket is nobody's.
    const connection = "stream" in this.#req ? this.#req.stream?.session : socket;
    return connection === undefined ? undefined : peerOf(socket, connection);
  }

  remove(name: string): void {
    removeHeader(this.#req, name);
  }

  replace(name: string, value: string): void {
    replaceHeader(this.#req, name, value);
  }

  removeTrailers(isUnwanted: (name: string) => boolean): void {
    if ("stream" in this.#req) removeStreamTrailers(this.#req.stream, isUnwanted);
    else removeTrailers(this.#req, isUnwanted);
  }
}

/** A request on a stream of `node:http2`, without its compatibility API. */
export class StreamIncoming implements IncomingRequest {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #rawHeaders: string[];
  readonly headers: NodeHeaders;
  readonly protocolVersion = "2";

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: string[] = []) {
    this.#stream = stream;
    this.#headers = headers;
    this.#rawHeaders = rawHeaders;
    this.headers = new NodeHeaders(headers);
  }

  get method(): string {
    return this.#headers[":method"] ?? "GET";
  }

  get target(): string {
    return this.#headers[":path"] ?? "/";
  }

  get scheme(): string {
    return this.#headers[":scheme"] === "https" ? "https" : "http";
  }

  get authority(): string | undefined {
    return this.#headers[":authority"] ?? this.#headers.host;
  }

  get clientAddress(): string | undefined {
    return this.#stream.session?.socket?.remoteAddress;
  }

  get peer(): Peer | undefined {
    const { session } = this.#stream;
    return session?.socket === undefined ? undefined : peerOf(session.socket, session);
  }

  remove(name: string): void {
    delete this.#headers[name];
    removePairs(this.#rawHeaders, (each) => each.toLowerCase() === name);
  }

  replace(name: string, value: string): void {
    this.remove(name);
    this.#headers[name] = value;
    this.#rawHeaders.push(name, value);
  }

  removeTrailers(isUnwanted: (name: string) => boolean): void {
    removeStreamTrailers(this.#stream, isUnwanted);
  }
}
