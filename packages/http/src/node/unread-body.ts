import type { IncomingMessage } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";

/**
 * Closes the connection of an HTTP/1 request, once its response is out, if a handler has begun to read its body and has not come to its end: the
 * handler may read on without haste, or not at all, while the next request waits behind the body. A body that is all here keeps nothing waiting, and one
 * that no handler has begun to read is discarded by Node.
 */
export function closeUnread(req: IncomingMessage, closeConnection: () => void): void {
  if (!isBeingRead(req) || req.complete) return;
  closeConnection();
  // Node reports a lost connection to those requests only whose responses are not out.
  req.socket.once("close", () => failReading(req, destroyOf(req)));
}

/**
 * Ends a stream of HTTP/2 once its response is out, if its request is not read to the end: the client would go on with it, and the stream stay open.
 * Without an error the response counts as complete (RFC 9113, 8.1).
 *
 * @param readable what a handler reads the request from
 */
export function resetUnread(stream: ServerHttp2Stream, readable: Readable): void {
  if (stream.endAfterHeaders) return;
  // Before it is silenced, which takes it from the handler.
  const destroy = destroyOf(readable);
  // Later, as a client that finds the reset together with the end of the response may take that for cut off.
  const reset = (): void => {
    if (stream.readableEnded || stream.destroyed) return;
    stream.close(constants.NGHTTP2_NO_ERROR);
    if (isBeingRead(readable)) failReading(readable, destroy);
  };
  stream.once("finish", () => setImmediate(reset));
}

function isBeingRead(readable: Readable): boolean {
  return (readable.readableFlowing !== null || readable.listenerCount?.("readable") > 0) && !readable.readableEnded;
}

/** What is read fails, as if the client had gone: it must not end as if it were whole. */
function failReading(readable: Readable, destroy: (error: Error) => void): void {
  if (readable.readableEnded) return;
  const error = Object.assign(new Error("aborted: the request was answered before its body was read"), {
    name: "AbortError",
    code: "ECONNRESET",
  });
  // Where nobody listens for an error there is nobody to fail.
  readable.on("error", () => {});
  destroy(error);
}

function destroyOf(readable: Readable): (error: Error) => void {
  const destroy = readable.destroy.bind(readable);
  return (error) => void destroy(error);
}
