import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import { callable, runRequest } from "@throughline/context/internal";

import { problemOf, problemResponse } from "../server/problem.ts";
import { serverRequestOf } from "../server/receive.ts";
import { classifyErrorOn, type HostHandler } from "../server/response-lifecycle.ts";
import type { ServerOptions } from "../server/server-options.ts";
import { InvalidHeader } from "../wire/errors.ts";
import { NodeIncoming, type NodeRequest, type NodeResponse } from "./node-incoming.ts";
import { hostResponseOf } from "./node-response.ts";
import { classifyError, createNodeReceiver, receiveNode, receiveStream, sendProblem } from "./receive-node.ts";
import { StreamHostResponse } from "./stream-response.ts";

type Done = void | Promise<void>;

/**
 * Wraps a listener of `node:http`, or of the compatibility API of `node:http2`. Each request gets its own Context,
 * which is `current()` in the listener. The Context ends at the caller's deadline or the limit of the server, when the
 * client leaves, and when the response is sent. A request whose deadline has passed on arrival is answered 504, and one
 * with a malformed deadline 400; the listener is not called.
 *
 * If the listener throws, or rejects with, an error of this library, such as `DeadlineExceeded`, the request is
 * answered with a problem document. All other errors are rethrown.
 *
 * @throws TypeError, RangeError at this call, not at the first request, if an option is invalid
 */
export function requestContext<Req extends NodeRequest, Res extends NodeResponse>(
  listener: (req: Req, res: Res) => Done,
  options?: ServerOptions,
): (req: Req, res: Res) => Done {
  callable(
    "listener",
    listener,
    "make a request context",
    "call requestContext(listener, options); the middleware for Express is in @throughline/express, that for Koa in @throughline/koa",
  );
  const receive = createNodeReceiver(options);
  return function requestContext(req, res) {
    const fail = (error: unknown): void => {
      const disposition = classifyError(error, req, res);
      if (disposition !== "pass" && disposition !== "gone") return sendProblem(req, res, disposition, true);
      if (disposition === "gone") return;
      const hostResponse = hostResponseOf(req, res);
      // connect-node throws if there is no Host header, which HTTP/1.0 allows.
      if (!new NodeIncoming(req).authority && !hostResponse.isBegun) return sendProblem(req, res, MISSING_HOST, true);
      if (problemOf(error) === undefined) throw error;
      // The response has begun, so no problem can be sent in its place.
      hostResponse.destroy();
    };
    return receiveNode<Done>(receive, req, res, {
      ...ignoring,
      run: (ctx) => attempt(() => runRequest(ctx, listener, req, res), fail),
      reject: (problem, started) => sendProblem(req, res, problem, started),
    });
  };
}

/** As {@link requestContext}, for a listener of the event `stream` of `node:http2`. */
export function streamContext(
  listener: (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    ...rest: [flags: number, rawHeaders: string[]]
  ) => Done,
  options?: ServerOptions,
): (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, ...rest: [flags: number, rawHeaders: string[]]) => Done {
  callable("listener", listener, "make a stream context", "call streamContext(listener, options)");
  const receive = createNodeReceiver(options);
  return function streamContext(stream, headers, ...rest) {
    const hostResponse = new StreamHostResponse(stream, headers);
    const fail = (error: unknown): void => {
      serverRequestOf(stream)?.fail(error);
      const disposition = classifyErrorOn(error, hostResponse);
      if (disposition === "gone") return;
      if (disposition !== "pass") return hostResponse.send(problemResponse(disposition, true, hostResponse.accept));
      if (problemOf(error) === undefined) throw error;
      // It may already have been answered in place of the listener.
      if (!stream.writableEnded) hostResponse.destroy();
    };
    return receiveStream<Done>(receive, stream, headers, rest[1], {
      ...ignoring,
      run: (ctx) => attempt(() => runRequest(ctx, listener, stream, headers, ...rest), fail),
      reject: (problem, started) => hostResponse.send(problemResponse(problem, started, hostResponse.accept)),
    });
  };
}

const MISSING_HOST = problemOf(new InvalidHeader("host", "sent"))!;

const ignoring: Pick<HostHandler<Done>, "ignore"> = { ignore: () => {} };

/** Calls a function that may throw, or return a promise that rejects. */
function attempt(call: () => Done, fail: (error: unknown) => void): Done {
  try {
    const done = call();
    return done instanceof Promise ? done.catch(fail) : done;
  } catch (error) {
    fail(error);
  }
}
