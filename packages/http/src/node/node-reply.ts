import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";

import { type Answer, isRepresentationHeader } from "../server/answer.ts";
import { onceOut, Reply } from "../server/reply.ts";
import { onceClosed } from "./node-close.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import { callBack, silenced } from "./silenced.ts";
import { streamProgress } from "./stream-progress.ts";

/** The response of a request to `node:http`, or to the compatibility API of `node:http2`. */
export function replyOf(req: NodeRequest, res: NodeResponse): Reply {
  return "stream" in res ? new Http2Reply(req as Http2ServerRequest, res) : new Http1Reply(req as IncomingMessage, res);
}

/** What both have in common. */
abstract class NodeReply<Req extends NodeRequest, Res extends NodeResponse> extends Reply {
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

  get isBegun(): boolean {
    return this.res.headersSent;
  }

  get status(): number | undefined {
    const { res } = this;
    return res.headersSent || res.writableEnded ? res.statusCode : undefined;
  }

  send({ status, headers, body }: Answer): void {
    const { res } = this;
    if (this.isClosed) return;
    for (const name of res.getHeaderNames()) if (isRepresentationHeader(name)) res.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.setHeader("content-length", Buffer.byteLength(body));
    res.statusCode = status;
    this.resetReason();
    res.end(body);
    // Where somebody has wrapped `end` to end it later, its head goes now, while it still can.
    if (!res.headersSent) (res as ServerResponse).flushHeaders();
  }

  /** The reason phrase, if there is one, is that of the status. */
  protected abstract resetReason(): void;

  silence(): void {
    const { res } = this;
    const self = (): Res => res;
    const methods = {
      setHeader: self,
      setHeaders: self,
      appendHeader: self,
      removeHeader: () => {},
      writeHead: self,
      flushHeaders: () => {},
      write: (...args: unknown[]) => (callBack(args), true),
      end: (...args: unknown[]) => (callBack(args), res),
      // By which a pipeline that fails would cut off the answer.
      destroy: self,
    };
    // Frameworks that find headers sent after an error destroy the connection. Whoever writes a log of what is over is told the truth.
    let isTold = false;
    for (const event of ["finish", "close"]) {
      res.prependListener(event, () => void (isTold = true));
      res.once(event, () => void (isTold = false));
    }
    silenced(res, methods, { headersSent: () => isTold, statusCode: constant(res.statusCode) });
  }
}

function constant<T>(value: T): () => T {
  return () => value;
}

class Http1Reply extends NodeReply<IncomingMessage, ServerResponse> {
  protected resetReason(): void {
    this.res.statusMessage = undefined as unknown as string;
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

  get isDelivered(): boolean {
    return this.res.writableFinished;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) callback();
    else onceClosed(this.req, this.res, callback);
  }

  breakOff(): void {
    this.res.destroy();
  }
}

class Http2Reply extends NodeReply<Http2ServerRequest, Http2ServerResponse> {
  protected resetReason(): void {}

  get progress(): number {
    return streamProgress(this.res.stream);
  }

  get isClosed(): boolean {
    return this.res.stream.destroyed || this.res.stream.closed;
  }

  /** HTTP/2 reports an aborted response as finished: it takes more to tell. */
  get isDelivered(): boolean {
    const { res } = this;
    return res.writableFinished && res.writableEnded && res.stream.rstCode === constants.NGHTTP2_NO_ERROR;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) return callback();
    this.res.prependListener("close", callback);
    onceOut(this, this.res.stream, callback);
  }

  /** `CANCEL` passes for a good end with some clients. */
  breakOff(): void {
    this.res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}
