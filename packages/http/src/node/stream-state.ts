import { constants, type ServerHttp2Stream } from "node:http2";

/** How much a stream has been given to write: HTTP/2 does not tell of one stream what has left. */
const given = new WeakMap<ServerHttp2Stream, { count: number }>();

/** More than this in one piece may take long to send, to be seen only in what the connection has sent. */
const LARGE = 1024 * 1024;

/**
 * A number that changes when a stream of HTTP/2 moves: its handler writes, or a piece of what it has written has left. It counts from when it is
 * first asked for.
 */
export function streamProgress(stream: ServerHttp2Stream): number {
  let counted = given.get(stream);
  if (counted === undefined) {
    const made = { count: 0 };
    given.set(stream, (counted = made));
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    const counting = (...args: unknown[]): boolean => ((made.count += 1), write(...args));
    stream.write = counting;
  }
  const { writableLength } = stream;
  const sent = writableLength > LARGE ? (stream.session?.socket.bytesWritten ?? 0) : 0;
  return counted.count * LARGE * LARGE - writableLength + sent;
}

/** Errors that a stream has when its client has reset it, or the connection is lost. */
const BY_CLIENT = new Set(["ERR_HTTP2_STREAM_ERROR", "ERR_HTTP2_SESSION_ERROR", "ECONNRESET", "EPIPE"]);

/**
 * Whether the client has reset a stream, or has gone: code of the application that destroys it does so with an error of its own. (A pipeline that is
 * reading it when the connection is lost destroys it too, but only after it was cancelled.)
 */
export function isStreamAborted(stream: ServerHttp2Stream): boolean {
  const { aborted, errored, rstCode } = stream as ServerHttp2Stream & {
    readonly errored: NodeJS.ErrnoException | null;
  };
  if (!aborted || errored === null) return aborted;
  const { code = "" } = errored;
  return BY_CLIENT.has(code) || (code === "ERR_STREAM_PREMATURE_CLOSE" && rstCode === constants.NGHTTP2_CANCEL);
}
