import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import type { Context } from "@throughline/context";

import type { AdmissionDecision } from "../server/admission.ts";
import { isCancellation, isDisconnect } from "../server/error-disposition.ts";
import type { HostResponse } from "../server/host-response.ts";
import { problemResponse } from "../server/problem-response.ts";
import { type Problem, problemOf } from "../server/problem.ts";
import { type ReceivedRequest, type Receiver, serverRequestOf } from "../server/receive.ts";
import { answerAtDeadline, trackResponse } from "../server/response-lifecycle.ts";
import type { ServerRequest, Router } from "../server/server-request.ts";
import { applyStreamLimits } from "../server/stream-limits.ts";
import { requestIdHeader } from "../wire/request-id.ts";
import { addActiveRequest } from "./connections.ts";
import { NodeIncoming, StreamIncoming } from "./node-incoming.ts";
import { hostResponseOf } from "./node-response.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import { bindRequestEvents, bindStreamEvents } from "./request-events.ts";
import { StreamHostResponse } from "./stream-response.ts";

const incoming = (req: NodeRequest): NodeIncoming => new NodeIncoming(req);

/** What a host does with a request, once that is known. */
export interface HostHandler<R> extends Router {
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
  accept: Receiver,
  req: NodeRequest,
  res: NodeResponse,
  handling: HostHandler<R>,
): R | Promise<Awaited<R>> {
  const accepted = accept(req, incoming);
  const hostResponse = hostResponseOf(req, res);
  const { serverRequest, isOutermost } = accepted;
  // The innermost router knows: that of a framework whose requestContext is behind one of node:http.
  if (typeof serverRequest.route !== "string" && (isOutermost || handling.route !== undefined))
    serverRequest.route = handling;
  if (isOutermost) {
    addActiveRequest(serverRequest, req.socket, "stream" in res ? res.stream.session : undefined);
    bindRequestEvents(serverRequest, req, res);
    setRequestIdHeader(serverRequest, res);
  }
  return handle(accepted, hostResponse, handling);
}

/** Has the response say the id of its request, where a header is used for that. */
export function setRequestIdHeader({ ctx }: ServerRequest, res: NodeResponse): void {
  const header = requestIdHeader(ctx);
  if (header !== undefined) res.setHeader(...header);
}

/** The same for a stream of `node:http2`, without its compatibility API. */
export function receiveStream<R>(
  accept: Receiver,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: string[] | undefined,
  handling: HostHandler<R>,
): R | Promise<Awaited<R>> {
  const accepted = accept(stream, () => new StreamIncoming(stream, headers, rawHeaders));
  const hostResponse = new StreamHostResponse(stream, headers);
  if (accepted.isOutermost) {
    addActiveRequest(accepted.serverRequest, stream.session?.socket, stream.session);
    bindStreamEvents(accepted.serverRequest, stream);
  }
  return handle(accepted, hostResponse, handling);
}

function handle<R>(
  accepted: ReceivedRequest,
  hostResponse: HostResponse,
  handling: HostHandler<R>,
): R | Promise<Awaited<R>> {
  const { serverRequest, turn, isOutermost } = accepted;
  if (isOutermost) {
    serverRequest.response = hostResponse;
    trackResponse(serverRequest, hostResponse);
  }
  if (!(turn instanceof Promise)) return take(accepted, turn, handling);
  return turn.then((settled) => take(accepted, settled, handling)) as Promise<Awaited<R>>;
}

function take<R>(
  { serverRequest, ctx, isOutermost, settings }: ReceivedRequest,
  turn: AdmissionDecision,
  handling: HostHandler<R>,
): R {
  if (turn === "gone") return handling.leave();
  if (turn !== "run") return handling.refuse(turn, !isOutermost);
  if (isOutermost || ctx !== serverRequest.ctx) answerAtDeadline(serverRequest, ctx);
  applyStreamLimits(serverRequest, settings);
  const work = handling.run(ctx);
  if (work instanceof Promise) serverRequest.track(work);
  return work;
}

/** What becomes of an error: we answer with a problem, there is no client to answer, or it is the application's. */
export type ErrorDisposition = Problem | "gone" | "pass";

/** Judges an error that a handler of this request has thrown, and has the request remember it. */
export function classifyError(error: unknown, req: NodeRequest, res: NodeResponse): ErrorDisposition {
  const hostResponse = hostResponseOf(req, res);
  serverRequestOf(req)?.fail(error);
  return classifyErrorOn(error, hostResponse);
}

export function classifyErrorOn(error: unknown, hostResponse: HostResponse): ErrorDisposition {
  const problem = problemOf(error);
  // Over HTTP/2 a response can be out before its stream is closed.
  const isOver = hostResponse.isClosed || hostResponse.isDelivered;
  if (hostResponse.isAborted ? isDisconnect(error) : isOver && isCancellation(error)) return "gone";
  return problem === undefined || hostResponse.isBegun ? "pass" : problem;
}

/**
 * Sends a problem as the whole response, in place of what was to be sent.
 *
 * @param started whether a handler had begun
 */
export function sendProblem(req: NodeRequest, res: NodeResponse, problem: Problem, started: boolean): void {
  const hostResponse = hostResponseOf(req, res);
  hostResponse.send(problemResponse(problem, started, hostResponse.accept));
}
