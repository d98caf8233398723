import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";

import { isLostConnection } from "../server/disconnect.ts";
import { HostResponse } from "../server/host-response.ts";
import { type ProblemResponse, isRepresentationHeader } from "../server/problem.ts";
import { detachResponse } from "./detach-response.ts";
import type { NodeRequest, NodeResponse } from "./node-incoming.ts";
import { http2, net, process } from "./node-modules.ts";
import { isStreamAborted, onceFinished, streamProgress } from "./stream-response.ts";
import { closeUnread, resetUnread } from "./unread-body.ts";

/** The response of a request to `node:http`, or to the compatibility API of `node:http2`. */
export function hostResponseOf(req: NodeRequest, res: NodeResponse): HostResponse {
  return "stream" in res
    ? new Http2HostResponse(req as Http2ServerRequest, res)
    : new Http1HostResponse(req as IncomingMessage, res);
}

abstract class NodeHostResponse<Req extends NodeRequest, Res extends NodeResponse> extends HostResponse {
  protected readonly req: Req;
  protected readonly res: Res;

  constructor(req: Req, res: Res) {
    super();
    this.req = req;
    this.res = res;
  }

  get accept(): string | undefined {
    return this.req.headers.accept;
  }

  get isEnded(): boolean {
    return this.res.writableEnded;
  }

  get status(): number | undefined {
    const { res } = this;
    return this.isBegun || this.isEnded ? res.statusCode : undefined;
  }

  send({ status, headers, body }: ProblemResponse): void {
    const { req, res } = this;
    if (this.isClosed) return;
    this.discardHead();
    for (const name of res.getHeaderNames()) if (isRepresentationHeader(name)) res.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.setHeader("content-length", Buffer.byteLength(body));
    res.statusCode = status;
    this.discardRequestBody();
    // A server with `rejectNonStandardBodyWrites` throws if the response to a HEAD has a body.
    if (req.method === "HEAD") res.end();
    else res.end(body);
    // A middleware may have wrapped `end` to call it later. The head is sent now, before the response is detached.
    if (!res.headersSent) (res as ServerResponse).flushHeaders();
  }

  /** Discards a head that was written and is still buffered in the process. */
  protected abstract discardHead(): void;

  detach(): void {
    detachResponse(this.res);
  }
}

/**
 * Internal fields of Node, the same in every version since 10: the head that `writeHead` made, and whether it was sent.
 */
interface BufferedHead {
  _header?: string | null;
  _headerSent?: boolean;
  _contentLength?: number | null;
  _hasBody?: boolean;
  chunkedEncoding?: boolean;
}

class Http1HostResponse extends NodeHostResponse<IncomingMessage, ServerResponse> {
  get isBegun(): boolean {
    // Node buffers the head that `writeHead` made until a part of the body is written.
    return this.res.headersSent && (this.res as BufferedHead)._headerSent !== false;
  }

  protected discardHead(): void {
    const { req, res } = this;
    // The reason phrase belongs to the discarded status.
    res.statusMessage = undefined as unknown as string;
    if (!res.headersSent) return;
    Object.assign(res as BufferedHead, {
      _header: null,
      _contentLength: null,
      _hasBody: req.method !== "HEAD",
      chunkedEncoding: false,
    });
  }

  discardRequestBody(): void {
    if (hasConnection(this.req)) closeUnread(this.req, () => this.closeConnection());
  }

  override closeConnection(): void {
    const { res } = this;
    if (this.isBegun) return;
    res.shouldKeepAlive = false;
    // Headers cannot be set after `writeHead`.
    if (!res.headersSent) res.setHeader("connection", "close");
  }

  /** The bytes that the connection has received, and the bytes that have left it for the network. */
  get progress(): number {
    const socket = this.res.socket as (Socket & { _handle?: { writeQueueSize?: number } | null }) | null;
    if (socket === null) return 0;
    return socket.bytesWritten + socket.bytesRead - (socket._handle?.writeQueueSize ?? 0);
  }

  get isClosed(): boolean {
    return this.res.destroyed || this.res.closed;
  }

  /**
   * An application that destroys the response, or the request, does so with an error of its own, which the connection
   * gets too.
   */
  get isAborted(): boolean {
    const { req, res } = this;
    if (!hasConnection(req)) return false;
    const { errored } = req.socket;
    if (errored !== null && (errored === res.errored || errored === req.errored)) return false;
    if (isLost(req) || isLost(req.socket)) return true;
    return this.isClosed && !res.writableFinished && res.errored == null && req.errored == null;
  }

  get error(): unknown {
    return this.res.errored ?? this.req.errored ?? undefined;
  }

  get isDelivered(): boolean {
    const { req, res } = this;
    // On Node 22 a response that was destroyed before it was sent may report that it has finished.
    if (res.writableFinished) return res.errored == null;
    return !hasConnection(req) && res.writableEnded;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) callback();
    else onceClosed(this.req, this.res, callback);
  }

  destroy(): void {
    this.res.destroy();
  }
}

function isLost(emitter: { readonly errored: Error | null } | null | undefined): boolean {
  return isLostConnection((emitter?.errored as NodeJS.ErrnoException | null | undefined)?.code ?? "");
}

/**
 * Serverless adapters and tests create requests without a connection (serverless-http, light-my-request,
 * node-mocks-http).
 */
function hasConnection(req: IncomingMessage): boolean {
  return req.socket instanceof net.Socket;
}

/**
 * If the connection is lost, Node 22 never closes the response of the second request in a pipeline; only the socket
 * reports it.
 */
const NEEDS_SOCKET = Number.parseInt(process?.versions.node, 10) < 24;

/** Calls back once, when the response is closed. */
function onceClosed(req: IncomingMessage, res: ServerResponse, callback: () => void): void {
  if (!hasConnection(req)) return onceOver(res, callback);
  // First in the list: an instrumentation that made the span ends it in a listener on the same event.
  if (!NEEDS_SOCKET) return void res.prependListener("close", callback);

  const open = openResponses(req.socket);
  const close = (): void => {
    if (open.delete(close)) callback();
  };
  open.add(close);
  res.prependListener("close", close);
}

/**
 * For a response without a connection. Such responses emit different events at their end, and not all have every method
 * of an emitter.
 */
function onceOver(res: ServerResponse, callback: () => void): void {
  let isOver = false;
  const over = (): void => {
    if (isOver) return;
    isOver = true;
    callback();
  };
  // A tick later, because Node 22 emits `finish` before `writableEnded` is true.
  for (const event of ["finish", "end", "close"]) res.on(event, () => process.nextTick(over));
}

/**
 * The open responses of each connection. One listener serves them all, since thousands of requests may use a
 * connection.
 */
const openBySocket = new WeakMap<Socket, Set<() => void>>();

function openResponses(socket: Socket): Set<() => void> {
  const known = openBySocket.get(socket);
  if (known !== undefined) return known;
  const open = new Set<() => void>();
  openBySocket.set(socket, open);
  socket.once("close", () => {
    // The `close` event of the response comes first, if it comes at all.
    globalThis.setImmediate(() => {
      for (const close of open) close();
    });
  });
  return open;
}

class Http2HostResponse extends NodeHostResponse<Http2ServerRequest, Http2ServerResponse> {
  get isBegun(): boolean {
    return this.res.headersSent;
  }

  /** Reads the head, because Node 22 reports a response as ended if its stream was closed before it could send any. */
  override get status(): number | undefined {
    const { res } = this;
    return res.stream.sentHeaders === undefined ? undefined : res.statusCode;
  }

  /** HTTP/2 does not buffer a head. */
  protected discardHead(): void {}

  discardRequestBody(): void {
    resetUnread(this.res.stream, this.req);
  }

  get progress(): number {
    return streamProgress(this.res.stream);
  }

  get isClosed(): boolean {
    return this.res.stream.destroyed || this.res.stream.closed;
  }

  get isAborted(): boolean {
    return isStreamAborted(this.res.stream);
  }

  get error(): unknown {
    return this.res.stream.errored ?? undefined;
  }

  /** HTTP/2 reports an aborted response as finished too, so `writableFinished` is not enough. */
  get isDelivered(): boolean {
    const { res } = this;
    return res.writableFinished && res.writableEnded && res.stream.rstCode === http2.constants.NGHTTP2_NO_ERROR;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) return callback();
    this.res.prependListener("close", callback);
    onceFinished(this, this.res.stream, callback);
  }

  /** Some clients take a stream that was reset with `CANCEL` for complete. */
  destroy(): void {
    this.res.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  }
}
