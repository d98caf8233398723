import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";

import { type Answer, isRepresentationHeader } from "./answer.ts";
import { onceClosed } from "./node-close.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import type { Reply } from "./reply.ts";
import { callBack, silenced } from "./silenced.ts";

/** The response of a request to `node:http`, or to the compatibility API of `node:http2`. */
export function replyOf(req: NodeRequest, res: NodeResponse): Reply {
  return "stream" in res ? new Http2Reply(req as Http2ServerRequest, res) : new Http1Reply(req as IncomingMessage, res);
}

/** What both have in common. */
abstract class NodeReply<Req extends NodeRequest, Res extends NodeResponse> {
  protected readonly req: Req;
  protected readonly res: Res;

  constructor(req: Req, res: Res) {
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

  onIdle(ms: number, callback: () => void): void {
    this.res.setTimeout(ms, callback);
  }

  send({ status, headers, body }: Answer): void {
    const { res } = this;
    for (const name of res.getHeaderNames()) if (isRepresentationHeader(name)) res.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.statusCode = status;
    res.end(body);
  }

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
    };
    // Frameworks that find headers sent after an error destroy the connection.
    silenced(res, methods, { headersSent: false, statusCode: res.statusCode });
  }
}

class Http1Reply extends NodeReply<IncomingMessage, ServerResponse> implements Reply {
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

class Http2Reply extends NodeReply<Http2ServerRequest, Http2ServerResponse> implements Reply {
  get isClosed(): boolean {
    return this.res.stream.destroyed || this.res.stream.closed;
  }

  /** HTTP/2 reports an aborted response as finished: it takes more to tell. */
  get isDelivered(): boolean {
    const { res } = this;
    return res.writableFinished && res.writableEnded && res.stream.rstCode === constants.NGHTTP2_NO_ERROR;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) callback();
    else this.res.prependListener("close", callback);
  }

  /** `CANCEL` passes for a good end with some clients. */
  breakOff(): void {
    this.res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}
