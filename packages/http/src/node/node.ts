import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import type { Context } from "@throughline/context";

import { type Accepted, type Acceptor, exchangeOf } from "../server/acceptor.ts";
import type { Turn } from "../server/admission.ts";
import { answerOf } from "../server/answer.ts";
import { isCancellation, isDisconnect } from "../server/disconnect.ts";
import type { Exchange, Router } from "../server/exchange.ts";
import { answerAtDeadline, follow } from "../server/follow.ts";
import { NodeIncoming, StreamIncoming } from "../server/incoming-request.ts";
import { type Problem, problemOf } from "../server/problem.ts";
import type { Reply } from "../server/reply.ts";
import { limitStream } from "../server/stream-limits.ts";
import { requestIdHeader } from "../values/request-id.ts";
import { emitInContext, emitStreamInContext } from "./emit-in-context.ts";
import { replyOf } from "./node-reply.ts";
import { joinTraffic } from "./node-traffic.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import { StreamReply } from "./stream-reply.ts";

const incoming = (req: NodeRequest): NodeIncoming => new NodeIncoming(req);

/** What a host does with a request, once that is known. */
export interface Handling<R> extends Router {
  /** Runs what is further in, in the context. */
  run(ctx: Context): R;
  /** Answers instead. */
  refuse(problem: Problem, started: boolean): R;
  /** Does nothing, as there is nobody to answer. */
  leave(): R;
}

/**
 * Receives a request of Node's servers, and follows its response: the context ends when the response is out, or when the
 * client goes away before. The host is told what to do with it: now, or when its turn has come.
 */
export function receiveNode<R>(
  accept: Acceptor,
  req: NodeRequest,
  res: NodeResponse,
  handling: Handling<R>,
): R | Promise<Awaited<R>> {
  const accepted = accept(req, incoming);
  const reply = replyOf(req, res);
  const { exchange, isFirst } = accepted;
  // The innermost router knows: that of a framework whose requestContext is behind one of node:http.
  if (typeof exchange.route !== "string" && (isFirst || handling.route !== undefined)) exchange.route = handling;
  if (isFirst) {
    joinTraffic(exchange, req.socket, "stream" in res ? res.stream.session : undefined);
    emitInContext(exchange, req, res);
    nameResponse(exchange, res);
  }
  return handle(accepted, reply, handling);
}

/** Has the response say the id of its request, where a header is used for that. */
export function nameResponse({ ctx }: Exchange, res: NodeResponse): void {
  const header = requestIdHeader(ctx);
  if (header !== undefined) res.setHeader(...header);
}

/** The same for a stream of `node:http2`, without its compatibility API. */
export function receiveStream<R>(
  accept: Acceptor,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: string[] | undefined,
  handling: Handling<R>,
): R | Promise<Awaited<R>> {
  const accepted = accept(stream, () => new StreamIncoming(stream, headers, rawHeaders));
  const reply = new StreamReply(stream, headers);
  if (accepted.isFirst) {
    joinTraffic(accepted.exchange, stream.session?.socket, stream.session);
    emitStreamInContext(accepted.exchange, stream);
  }
  return handle(accepted, reply, handling);
}

function handle<R>(accepted: Accepted, reply: Reply, handling: Handling<R>): R | Promise<Awaited<R>> {
  const { exchange, turn, isFirst } = accepted;
  if (isFirst) {
    exchange.response = reply;
    follow(exchange, reply);
  }
  if (!(turn instanceof Promise)) return take(accepted, turn, handling);
  return turn.then((settled) => take(accepted, settled, handling)) as Promise<Awaited<R>>;
}

function take<R>({ exchange, ctx, isFirst, settings }: Accepted, turn: Turn, handling: Handling<R>): R {
  if (turn === "gone") return handling.leave();
  if (turn !== "run") return handling.refuse(turn, !isFirst);
  if (isFirst || ctx !== exchange.ctx) answerAtDeadline(exchange, ctx);
  limitStream(exchange, settings);
  const work = handling.run(ctx);
  if (work instanceof Promise) exchange.track(work);
  return work;
}

/** What becomes of an error: we answer with a problem, there is no client to answer, or it is the application's. */
export type Verdict = Problem | "gone" | "pass";

/** Judges an error that a handler of this request has thrown, and has the exchange remember it. */
export function judge(error: unknown, req: NodeRequest, res: NodeResponse): Verdict {
  const reply = replyOf(req, res);
  exchangeOf(req)?.fail(error);
  return judgeReply(error, reply);
}

export function judgeReply(error: unknown, reply: Reply): Verdict {
  const problem = problemOf(error);
  // Over HTTP/2 a response can be out before its stream is closed.
  const isOver = reply.isClosed || reply.isDelivered;
  if (reply.isAborted ? isDisconnect(error) : isOver && isCancellation(error)) return "gone";
  return problem === undefined || reply.isBegun ? "pass" : problem;
}

/**
 * Sends a problem as the whole response, in place of what was to be sent.
 *
 * @param started whether a handler had begun
 */
export function sendProblem(req: NodeRequest, res: NodeResponse, problem: Problem, started: boolean): void {
  const reply = replyOf(req, res);
  reply.send(answerOf(problem, started, reply.accept));
}
