import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";

import { HostResponse } from "../server/host-response.ts";
import type { ProblemResponse } from "../server/problem-response.ts";
import { callBack, silenced } from "./detach-response.ts";
import { onceFinished } from "./once-closed.ts";
import { isStreamAborted, streamProgress } from "./stream-state.ts";
import { resetUnread } from "./unread-body.ts";

/** The response on a stream of `node:http2`, without its compatibility API. */
export class StreamHostResponse extends HostResponse {
  readonly accept: string | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #isHead: boolean;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    super();
    this.#stream = stream;
    this.accept = headers.accept;
    this.#isHead = headers[":method"] === "HEAD";
  }

  get isBegun(): boolean {
    // Not `headersSent`, which is made to say otherwise where we have answered.
    return this.#stream.sentHeaders !== undefined;
  }

  get isEnded(): boolean {
    return this.#stream.writableEnded;
  }

  get isClosed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  get isAborted(): boolean {
    return isStreamAborted(this.#stream);
  }

  get error(): unknown {
    return this.#stream.errored ?? undefined;
  }

  get isDelivered(): boolean {
    // A stream whose request was read closes without having finished.
    const stream = this.#stream;
    return this.isBegun && stream.writableEnded && !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR;
  }

  get status(): number | undefined {
    return this.#stream.sentHeaders?.[":status"] as number | undefined;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) return callback();
    this.#stream.prependOnceListener("close", callback);
    onceFinished(this, this.#stream, callback);
  }

  get progress(): number {
    return streamProgress(this.#stream);
  }

  send({ status, headers, body }: ProblemResponse): void {
    const stream = this.#stream;
    if (this.isClosed) return;
    this.leaveUnread();
    stream.respond({ ":status": status, ...headers });
    // The answer to a HEAD is ended with its head.
    if (!this.#isHead) stream.end(body);
  }

  leaveUnread(): void {
    resetUnread(this.#stream, this.#stream);
  }

  silence(): void {
    const stream = this.#stream;
    const nothing = (): void => {};
    const [close, destroy] = [stream.close.bind(stream), stream.destroy.bind(stream)];
    // Node itself calls these once the answer is out, or cannot go out any more.
    const isOver = (): boolean => stream.writableFinished || stream.closed || isSessionLost(stream);
    const methods = {
      respond: nothing,
      respondWithFile: nothing,
      respondWithFD: nothing,
      additionalHeaders: nothing,
      sendTrailers: nothing,
      pushStream: (...args: unknown[]) => callBack(args, new Error("the response is over")),
      write: (...args: unknown[]) => (callBack(args), true),
      end: (...args: unknown[]) => (callBack(args), stream),
      // By which a pipeline that fails would cut off the answer.
      destroy: (error?: Error) => (isOver() ? destroy(stream.writableFinished ? undefined : error) : stream),
      close(...args: unknown[]) {
        // With another code it is reset at once, before what is left of the answer is out.
        if (isSessionLost(stream)) close(constants.NGHTTP2_CANCEL);
        else if (isOver()) close(constants.NGHTTP2_NO_ERROR);
        callBack(args);
      },
    };
    silenced(stream, methods, { headersSent: () => false });
  }

  /** By `close` it would first be ended, as if it were whole. With an error it is reset; nobody else need listen for that. */
  breakOff(): void {
    this.#stream.on("error", () => {});
    this.#stream.destroy(new Error("response broken off"));
  }
}

/** Node 22 closes the streams of a session whose connection is lost before the session itself. */
function isSessionLost({ session }: ServerHttp2Stream): boolean {
  return session === undefined || session.destroyed || session.socket.destroyed;
}
