import type { ServerHttp2Stream } from "node:http2";

import type { NodeResponse } from "./node-incoming.ts";
import { http2, process } from "./node-modules.ts";

/**
 * Detaches a handler from a response that was answered in its place: methods of the response that send something do
 * nothing from now on, and call their callbacks.
 */
export function detachResponse(res: NodeResponse): void {
  const self = (): NodeResponse => res;
  const nothing = (): void => {};
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
    write: (...args: unknown[]) => (callBack(args), true),
    end: (...args: unknown[]) => (callBack(args), res),
    writeContinue: (...args: unknown[]) => callBack(args),
    writeProcessing: (...args: unknown[]) => callBack(args),
    writeEarlyHints: (...args: unknown[]) => (callBack(args), false),
    writeInformation: (...args: unknown[]) => (callBack(args), false),
    createPushResponse: (...args: unknown[]) => callBack(args, responseOver()),
    // A pipeline that fails would destroy the response before the answer is sent.
    destroy: self,
  };
  // Frameworks destroy the connection if headers are sent when a handler fails, so `headersSent` is false. Access logs
  // read it in these events, and get the real value there.
  let headersSent = false;
  for (const event of ["finish", "close"]) {
    res.prependListener?.(event, () => void (headersSent = true));
    res.once(event, () => void (headersSent = false));
  }
  const { statusCode } = res;
  override(res, methods, { headersSent: () => headersSent, statusCode: () => statusCode });
}

/** As {@link detachResponse}, for a stream of `node:http2` without its compatibility API. */
export function detachStream(stream: ServerHttp2Stream): void {
  const nothing = (): void => {};
  const [close, destroy] = [stream.close.bind(stream), stream.destroy.bind(stream)];
  // Node itself calls `close` and `destroy` when the answer was sent, or cannot be sent any more.
  const isOver = (): boolean => stream.writableFinished || stream.closed || isSessionLost(stream);
  const methods = {
    respond: nothing,
    respondWithFile: nothing,
    respondWithFD: nothing,
    additionalHeaders: nothing,
    sendTrailers: nothing,
    pushStream: (...args: unknown[]) => callBack(args, responseOver()),
    write: (...args: unknown[]) => (callBack(args), true),
    end: (...args: unknown[]) => (callBack(args), stream),
    // A pipeline that fails would destroy the stream before the answer is sent.
    destroy: (error?: Error) => (isOver() ? destroy(stream.writableFinished ? undefined : error) : stream),
    close(...args: unknown[]) {
      // Any code but NO_ERROR resets the stream at once, before the rest of the answer is sent.
      if (isSessionLost(stream)) close(http2.constants.NGHTTP2_CANCEL);
      else if (isOver()) close(http2.constants.NGHTTP2_NO_ERROR);
      callBack(args);
    },
  };
  override(stream, methods, { headersSent: () => false });
}

/** Node 22 closes the streams of a session whose connection is lost before the session itself. */
function isSessionLost({ session }: ServerHttp2Stream): boolean {
  return session === undefined || session.destroyed || session.socket.destroyed;
}

/**
 * Calls the callback among the arguments, if there is one. The error is for methods whose caller would use a result.
 */
function callBack(args: readonly unknown[], error?: Error): void {
  const callback = args.at(-1);
  if (typeof callback === "function") process.nextTick(callback as (error?: Error) => void, ...(error ? [error] : []));
}

function responseOver(): Error {
  return new Error("the response is over");
}

/** Replaces methods and properties of one object. Assignments to the properties have no effect. */
function override(
  target: object,
  methods: Record<string, (...args: never[]) => unknown>,
  properties: Record<string, () => unknown>,
): void {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
  }
  for (const [name, get] of Object.entries(properties)) {
    Object.defineProperty(target, name, { get, set: () => {}, configurable: true });
  }
}
