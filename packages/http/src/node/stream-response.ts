import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import { HostResponse } from "../server/host-response.ts";
import type { ProblemResponse } from "../server/problem.ts";
import { detachStream } from "./detach-response.ts";
import { http2 } from "./node-modules.ts";
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
    // `headersSent` is overridden once the stream is detached.
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
    // A stream whose request was read to the end closes without having finished.
    const stream = this.#stream;
    return (
      this.isBegun && stream.writableEnded && !stream.aborted && stream.rstCode === http2.constants.NGHTTP2_NO_ERROR
    );
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
    this.discardRequestBody();
    stream.respond({ ":status": status, ...headers });
    // The response to a HEAD ends with its head.
    if (!this.#isHead) stream.end(body);
  }

  discardRequestBody(): void {
    resetUnread(this.#stream, this.#stream);
  }

  detach(): void {
    detachStream(this.#stream);
  }

  destroy(): void {
    // `close` would first end the stream as if it were complete. `destroy` with an error resets it, and needs a
    // listener for that error.
    this.#stream.on("error", () => {});
    const error = new Error("response destroyed before it was complete");
    // A handler that pipes into the stream rejects with it: it is no error of the application's.
    this.#stream.destroy(Object.assign(error, { name: "AbortError", code: "ABORT_ERR" }));
  }
}

/**
 * Calls back when a response is sent. An HTTP/2 stream does not close while its request is still being received, so the
 * end of the response is reported by `finish`. An abort emits `finish` too.
 */
export function onceFinished(hostResponse: HostResponse, writable: ServerHttp2Stream, callback: () => void): void {
  writable.once("finish", () => {
    if (!hostResponse.isClosed) callback();
  });
}

/** How many times a stream was written to. HTTP/2 does not report how much of a single stream was sent. */
const writeCounts = new WeakMap<ServerHttp2Stream, { count: number }>();

/** The sending of a larger chunk may take long, and shows only in the bytes that the connection has sent. */
const LARGE = 1024 * 1024;

/**
 * A number that changes when a stream makes progress: its handler writes, or a chunk of what it has written was sent.
 * Counting starts with the first call.
 */
export function streamProgress(stream: ServerHttp2Stream): number {
  let writes = writeCounts.get(stream);
  if (writes === undefined) {
    const created = { count: 0 };
    writeCounts.set(stream, (writes = created));
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    const countingWrite = (...args: unknown[]): boolean => ((created.count += 1), write(...args));
    stream.write = countingWrite;
  }
  const { writableLength } = stream;
  const sent = writableLength > LARGE ? (stream.session?.socket.bytesWritten ?? 0) : 0;
  return writes.count * LARGE * LARGE - writableLength + sent;
}

/** Error codes of a stream that its client has reset, or whose connection is lost. */
const CLIENT_ERRORS = new Set(["ERR_HTTP2_STREAM_ERROR", "ERR_HTTP2_SESSION_ERROR", "ECONNRESET", "EPIPE"]);

/**
 * Whether the client has reset a stream, or has left. An application that destroys a stream does so with an error of
 * its own. (A pipeline that reads the stream when the connection is lost destroys it too, but only after the stream was
 * canceled.)
 */
export function isStreamAborted(stream: ServerHttp2Stream): boolean {
  const { aborted, errored, rstCode } = stream as ServerHttp2Stream & {
    readonly errored: NodeJS.ErrnoException | null;
  };
  if (errored === null) return aborted;
  const { code = "" } = errored;
  // Node does not count a stream as aborted whose request was complete when its session failed.
  if (!aborted) return code === "ERR_HTTP2_SESSION_ERROR";
  return (
    CLIENT_ERRORS.has(code) || (code === "ERR_STREAM_PREMATURE_CLOSE" && rstCode === http2.constants.NGHTTP2_CANCEL)
  );
}
