import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";

import type { IncomingRequest, Peer } from "../observe/server-request.ts";
import { NodeHeaders, removePairs } from "../wire/headers.ts";
import { peerOf } from "./peer.ts";

/** A request of `node:http`, or of the compatibility API of `node:http2`. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** A response of `node:http`, or of the compatibility API of `node:http2`. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/**
 * Reads a request of `node:http`, or of the compatibility API of `node:http2`. Getters, because most are read only for
 * a recorded span.
 */
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

  /** A router may have shortened `url`; Express keeps the original. */
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
    // Without its session, a stream does not belong to a socket.
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

/** Reads a request on a stream of `node:http2`, without its compatibility API. */
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

/** Removes a header from all properties of a request that hold it. */
export function removeHeader(req: NodeRequest, name: string): void {
  rewrite(req, name, undefined);
}

/** Replaces all values of a header by one. */
export function replaceHeader(req: NodeRequest, name: string, value: string): void {
  rewrite(req, name, value);
}

/** @param name in lower case */
function rewrite(req: NodeRequest, name: string, value: string | undefined): void {
  // Node computes `headers` and `headersDistinct` from `rawHeaders` when they are first read, so they are read before
  // it is changed.
  const distinct = (req as { headersDistinct?: NodeJS.Dict<string[]> }).headersDistinct;
  const { headers, rawHeaders } = req;
  removePairs(rawHeaders, (each) => each.toLowerCase() === name);
  delete headers[name];
  if (distinct !== undefined) delete distinct[name];
  if (value === undefined) return;
  rawHeaders.push(name, value);
  headers[name] = value;
  if (distinct !== undefined) distinct[name] = [value];
}

/** Removes trailers of HTTP/1, which Node sets when it has parsed the end of the body. */
function removeTrailers(req: IncomingMessage, isUnwanted: (name: string) => boolean): void {
  // Only a chunked body can have trailers.
  if (req.headers["transfer-encoding"] === undefined) return;
  let kept: string[] = req.rawTrailers ?? [];
  const distinct = (): Record<string, string[]> => {
    const values: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
    for (let index = 0; index < kept.length; index += 2)
      (values[kept[index]!.toLowerCase()] ??= []).push(kept[index + 1]!);
    return values;
  };
  const joined = (): Record<string, string> =>
    Object.fromEntries(Object.entries(distinct()).map(([name, values]) => [name, values.join(", ")]));
  const rawTrailers = {
    get: () => kept,
    set(raw: string[]) {
      kept = [...raw];
      removePairs(kept, isUnwanted);
    },
  };
  // Node would compute `trailers` and `trailersDistinct` from all received trailers.
  const accessors = { rawTrailers, trailers: { get: joined }, trailersDistinct: { get: distinct } };
  for (const [name, accessor] of Object.entries(accessors)) {
    Object.defineProperty(req, name, { ...accessor, configurable: true, enumerable: true });
  }
}

/** Removes trailers of HTTP/2, before any other listener receives them, including the compatibility API. */
function removeStreamTrailers(stream: ServerHttp2Stream, isUnwanted: (name: string) => boolean): void {
  if (stream.endAfterHeaders) return;
  stream.prependListener("trailers", (trailers, _flags, ...rest: unknown[]) => {
    for (const name of Object.keys(trailers)) if (isUnwanted(name)) delete trailers[name];
    removePairs((rest[0] ?? []) as string[], isUnwanted);
  });
}
