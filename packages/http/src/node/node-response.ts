import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";

import { isLostConnection } from "../server/error-disposition.ts";
import { HostResponse } from "../server/host-response.ts";
import { type ProblemResponse, isRepresentationHeader } from "../server/problem-response.ts";
import { callBack, silenced } from "./detach-response.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import { hasConnection, onceClosed, onceFinished } from "./once-closed.ts";
import { isStreamAborted, streamProgress } from "./stream-state.ts";
import { closeUnread, resetUnread } from "./unread-body.ts";

/** The response of a request to `node:http`, or to the compatibility API of `node:http2`. */
export function hostResponseOf(req: NodeRequest, res: NodeResponse): HostResponse {
  return "stream" in res
    ? new Http2HostResponse(req as Http2ServerRequest, res)
    : new Http1HostResponse(req as IncomingMessage, res);
}

/** What both have in common. */
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
    this.takeBackHead();
    for (const name of res.getHeaderNames()) if (isRepresentationHeader(name)) res.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.setHeader("content-length", Buffer.byteLength(body));
    res.statusCode = status;
    this.leaveUnread();
    // A server with `rejectNonStandardBodyWrites` throws where a HEAD is given a body.
    if (req.method === "HEAD") res.end();
    else res.end(body);
    // Where somebody has wrapped `end` to end it later, its head goes now, while it still can.
    if (!res.headersSent) (res as ServerResponse).flushHeaders();
  }

  /** Makes a head that was written, and is still in the process, as if it had not been. */
  protected abstract takeBackHead(): void;

  silence(): void {
    const { res } = this;
    const self = (): Res => res;
    const nothing = (): void => {};
    const writes = (...args: unknown[]): boolean => (callBack(args), true);
    const methods = {
      setHeader: self,
      setHeaders: self,
      appendHeader: self,
      removeHeader: nothing,
      addTrailers: nothing,
      setTrailer: nothing,
      writeHead: self,
      writeHeader: self,
      flushHeaders: nothing,
      write: writes,
      end: (...args: unknown[]) => (callBack(args), res),
      writeContinue: (...args: unknown[]) => callBack(args),
      writeProcessing: (...args: unknown[]) => callBack(args),
      writeEarlyHints: (...args: unknown[]) => (callBack(args), false),
      writeInformation: (...args: unknown[]) => (callBack(args), false),
      createPushResponse: (...args: unknown[]) => callBack(args, new Error("the response is over")),
      // By which a pipeline that fails would cut off the answer.
      destroy: self,
    };
    // Frameworks that find headers sent after an error destroy the connection. Whoever writes a log of what is over is told the truth.
    let isTold = false;
    for (const event of ["finish", "close"]) {
      res.prependListener?.(event, () => void (isTold = true));
      res.once(event, () => void (isTold = false));
    }
    silenced(res, methods, { headersSent: () => isTold, statusCode: constant(res.statusCode) });
  }
}

function constant<T>(value: T): () => T {
  return () => value;
}

/** Fields of Node's that are not part of its API, the same in every version since 10: a head that `writeHead` made, and whether it has been sent. */
interface HeldHead {
  _header?: string | null;
  _headerSent?: boolean;
  _contentLength?: number | null;
  _hasBody?: boolean;
  chunkedEncoding?: boolean;
}

function isLost(emitter: { readonly errored: Error | null } | null | undefined): boolean {
  return isLostConnection((emitter?.errored as NodeJS.ErrnoException | null | undefined)?.code ?? "");
}

class Http1HostResponse extends NodeHostResponse<IncomingMessage, ServerResponse> {
  get isBegun(): boolean {
    // Node keeps what `writeHead` made until there is something to send with it.
    return this.res.headersSent && (this.res as HeldHead)._headerSent !== false;
  }

  protected takeBackHead(): void {
    const { req, res } = this;
    // The reason phrase, if there is one, is that of the status.
    res.statusMessage = undefined as unknown as string;
    if (!res.headersSent) return;
    Object.assign(res as HeldHead, {
      _header: null,
      _contentLength: null,
      _hasBody: req.method !== "HEAD",
      chunkedEncoding: false,
    });
  }

  leaveUnread(): void {
    if (hasConnection(this.req)) closeUnread(this.req, () => this.closeConnection());
  }

  override closeConnection(): void {
    const { res } = this;
    if (this.isBegun) return;
    res.shouldKeepAlive = false;
    // A head that is held back says otherwise.
    if (!res.headersSent) res.setHeader("connection", "close");
  }

  /** What has come and gone over the connection, and what of it has left for the network. */
  get progress(): number {
    const socket = this.res.socket as (Socket & { _handle?: { writeQueueSize?: number } | null }) | null;
    if (socket === null) return 0;
    return socket.bytesWritten + socket.bytesRead - (socket._handle?.writeQueueSize ?? 0);
  }

  get isClosed(): boolean {
    return this.res.destroyed || this.res.closed;
  }

  /** Code of the application that destroys the response, or the request, does so with an error of its own, which the connection gets too. */
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
    // One that is destroyed before it is out may claim on Node 22 to have finished.
    if (res.writableFinished) return res.errored == null;
    return !hasConnection(req) && res.writableEnded;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) callback();
    else onceClosed(this.req, this.res, callback);
  }

  breakOff(): void {
    this.res.destroy();
  }
}

class Http2HostResponse extends NodeHostResponse<Http2ServerRequest, Http2ServerResponse> {
  get isBegun(): boolean {
    return this.res.headersSent;
  }

  /** By the head itself: Node 22 reports a response as ended whose stream was closed before it could send any. */
  override get status(): number | undefined {
    const { res } = this;
    return res.stream.sentHeaders === undefined ? undefined : res.statusCode;
  }

  /** It has left: HTTP/2 sends it at once. */
  protected takeBackHead(): void {}

  leaveUnread(): void {
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

  /** HTTP/2 reports an aborted response as finished: it takes more to tell. */
  get isDelivered(): boolean {
    const { res } = this;
    return res.writableFinished && res.writableEnded && res.stream.rstCode === constants.NGHTTP2_NO_ERROR;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) return callback();
    this.res.prependListener("close", callback);
    onceFinished(this, this.res.stream, callback);
  }

  /** `CANCEL` passes for a good end with some clients. */
  breakOff(): void {
    this.res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}
