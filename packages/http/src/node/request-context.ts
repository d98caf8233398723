import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import { callable, runRequest } from "@throughline/context/internal";

import { problemResponse } from "../server/problem-response.ts";
import { problemOf } from "../server/problem.ts";
import { serverRequestOf } from "../server/receive.ts";
import { classifyErrorOn, type HostHandler } from "../server/response-lifecycle.ts";
import type { ServerOptions } from "../server/server-options.ts";
import { InvalidHeader } from "../wire/errors.ts";
import { NodeIncoming } from "./node-incoming.ts";
import { hostResponseOf } from "./node-response.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import { classifyError, createNodeReceiver, receiveNode, receiveStream, sendProblem } from "./receive-node.ts";
import { StreamHostResponse } from "./stream-response.ts";

type Done = void | Promise<void>;

/**
 * Wraps a listener of `node:http`, or of the compatibility API of `node:http2`: each request gets its Context, which is `current()` in the
 * listener. It ends at the caller's deadline or the server's limit, when the client goes away, and when the response is out. A
 * request whose time is up on arrival is answered 504, one with a malformed deadline 400, without calling the listener.
 *
 * An error of this library's that the listener throws, or rejects with, is answered; any other is thrown on.
 *
 * @throws TypeError, RangeError if an option is wrong: here, not at the first request
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
      // connect-node fails so where nothing catches, as HTTP/1.0 allows to send none.
      if (!new NodeIncoming(req).authority && !hostResponse.isBegun) return sendProblem(req, res, WITHOUT_HOST, true);
      if (problemOf(error) === undefined) throw error;
      // A response that has begun cannot say what was wrong: it is not left open.
      hostResponse.breakOff();
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
      // It may have been answered for the listener already.
      if (!stream.writableEnded) hostResponse.breakOff();
    };
    return receiveStream<Done>(receive, stream, headers, rest[1], {
      ...ignoring,
      run: (ctx) => attempt(() => runRequest(ctx, listener, stream, headers, ...rest), fail),
      reject: (problem, started) => hostResponse.send(problemResponse(problem, started, hostResponse.accept)),
    });
  };
}

const WITHOUT_HOST = problemOf(new InvalidHeader("host", "sent"))!;

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
