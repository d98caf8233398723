import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";

import { http2 } from "./node-modules.ts";

/**
 * Closes the connection of an HTTP/1 request after its response, if a handler has read only a part of the body: the
 * handler may continue slowly, or not at all, while the next request waits behind the body. A body that was received
 * completely blocks no request, and Node discards a body that no handler has begun to read.
 */
export function closeUnread(req: IncomingMessage, closeConnection: () => void): void {
  if (!isBeingRead(req) || req.complete) return;
  closeConnection();
  // Node reports a lost connection only to requests whose responses are not sent.
  req.socket.once("close", () => failReading(req, destroyOf(req)));
}

/**
 * Ends an HTTP/2 stream after its response, if its request was not read to the end: the client would keep sending it,
 * and the stream would stay open. With the code NO_ERROR the response counts as complete (RFC 9113, 8.1).
 *
 * @param readable the object that a handler reads the request from
 */
export function resetUnread(stream: ServerHttp2Stream, readable: Readable): void {
  if (stream.endAfterHeaders) return;
  // The original method, since detaching the response replaces it.
  const destroy = destroyOf(readable);
  // Not at once: a client that receives the reset together with the end of the response may treat the response as cut
  // off.
  const reset = (): void => {
    if (stream.readableEnded || stream.destroyed) return;
    stream.close(http2.constants.NGHTTP2_NO_ERROR);
    if (isBeingRead(readable)) failReading(readable, destroy);
  };
  stream.once("finish", () => globalThis.setImmediate(reset));
}

function isBeingRead(readable: Readable): boolean {
  return (readable.readableFlowing !== null || readable.listenerCount?.("readable") > 0) && !readable.readableEnded;
}

/** Fails the reading of a body as if the client had left, so that the handler does not take the body for complete. */
function failReading(readable: Readable, destroy: (error: Error) => void): void {
  if (readable.readableEnded) return;
  const error = Object.assign(new Error("aborted: the request was answered before its body was read"), {
    name: "AbortError",
    code: "ECONNRESET",
  });
  // Without a listener the error would be an uncaught exception.
  readable.on("error", () => {});
  destroy(error);
}

function destroyOf(readable: Readable): (error: Error) => void {
  const destroy = readable.destroy.bind(readable);
  return (error) => void destroy(error);
}
