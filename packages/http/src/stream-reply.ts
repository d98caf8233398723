import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";

import type { Answer } from "./answer.ts";
import type { Reply } from "./reply.ts";
import { callBack, silenced } from "./silenced.ts";

/** The response on a stream of `node:http2`, without its compatibility API. */
export class StreamReply implements Reply {
  readonly accept: string | undefined;
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.accept = headers.accept;
  }

  get isBegun(): boolean {
    return this.#stream.headersSent;
  }

  get isClosed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  get isDelivered(): boolean {
    const stream = this.#stream;
    return stream.headersSent && stream.writableFinished && stream.rstCode === constants.NGHTTP2_NO_ERROR;
  }

  get status(): number | undefined {
    return this.#stream.sentHeaders?.[":status"] as number | undefined;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) callback();
    else this.#stream.prependOnceListener("close", callback);
  }

  onIdle(ms: number, callback: () => void): void {
    this.#stream.setTimeout(ms, callback);
  }

  send({ status, headers, body }: Answer): void {
    this.#stream.respond({ ":status": status, ...headers });
    this.#stream.end(body);
  }

  silence(): void {
    const stream = this.#stream;
    const nothing = (): void => {};
    const methods = {
      respond: nothing,
      respondWithFile: nothing,
      respondWithFD: nothing,
      additionalHeaders: nothing,
      sendTrailers: nothing,
      write: (...args: unknown[]) => (callBack(args), true),
      end: (...args: unknown[]) => (callBack(args), stream),
    };
    silenced(stream, methods, { headersSent: false });
  }

  /** By `close` it would first be ended, as if it were whole. With an error it is reset; nobody else need listen for that. */
  breakOff(): void {
    this.#stream.on("error", () => {});
    this.#stream.destroy(new Error("response broken off"));
  }
}
