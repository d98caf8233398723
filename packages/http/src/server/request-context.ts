import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import { callable, carry } from "@throughline/context";

import { InvalidHeader } from "../errors.ts";
import { replyOf } from "../node/node-reply.ts";
import type { NodeRequest, NodeResponse } from "../node/node-types.ts";
import { type Handling, judge, judgeReply, receiveNode, receiveStream, sendProblem } from "../node/node.ts";
import { StreamReply } from "../node/stream-reply.ts";
import { acceptor, exchangeOf } from "./acceptor.ts";
import { answerOf } from "./answer.ts";
import { NodeIncoming } from "./incoming-request.ts";
import { problemOf } from "./problem.ts";
import type { ServerOptions } from "./server-options.ts";

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
  const accept = acceptor(options);
  return function requestContext(req, res) {
    const fail = (error: unknown): void => {
      const verdict = judge(error, req, res);
      if (verdict !== "pass" && verdict !== "gone") return sendProblem(req, res, verdict, true);
      if (verdict === "gone") return;
      const reply = replyOf(req, res);
      // connect-node fails so where nothing catches, as HTTP/1.0 allows to send none.
      if (!new NodeIncoming(req).authority && !reply.isBegun) return sendProblem(req, res, WITHOUT_HOST, true);
      if (problemOf(error) === undefined) throw error;
      // A response that has begun cannot say what was wrong: it is not left open.
      reply.breakOff();
    };
    return receiveNode<Done>(accept, req, res, {
      ...leaving,
      run: (ctx) => attempt(() => carry(ctx, listener, req, res), fail),
      refuse: (problem, started) => sendProblem(req, res, problem, started),
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
  const accept = acceptor(options);
  return function streamContext(stream, headers, ...rest) {
    const reply = new StreamReply(stream, headers);
    const fail = (error: unknown): void => {
      exchangeOf(stream)?.fail(error);
      const verdict = judgeReply(error, reply);
      if (verdict === "gone") return;
      if (verdict !== "pass") return reply.send(answerOf(verdict, true, reply.accept));
      if (problemOf(error) === undefined) throw error;
      // It may have been answered for the listener already.
      if (!stream.writableEnded) reply.breakOff();
    };
    return receiveStream<Done>(accept, stream, headers, rest[1], {
      ...leaving,
      run: (ctx) => attempt(() => carry(ctx, listener, stream, headers, ...rest), fail),
      refuse: (problem, started) => reply.send(answerOf(problem, started, reply.accept)),
    });
  };
}

const WITHOUT_HOST = problemOf(new InvalidHeader("host", "sent"))!;

const leaving: Pick<Handling<Done>, "leave"> = { leave: () => {} };

/** Calls a function that may throw, or return a promise that rejects. */
function attempt(call: () => Done, fail: (error: unknown) => void): Done {
  try {
    const done = call();
    return done instanceof Promise ? done.catch(fail) : done;
  } catch (error) {
    fail(error);
  }
}
