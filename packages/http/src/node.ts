import type { TLSSocket } from "node:tls";

import { type Acceptor, type Admission, exchangeOf } from "./acceptor.ts";
import { causes } from "./causes.ts";
import type { Exchange } from "./exchange.ts";
import { nodeHeaders } from "./headers.ts";
import { isClosed, onceClosed } from "./node-close.ts";
import { answerAtDeadline } from "./node-deadline.ts";
import { joinTraffic } from "./node-traffic.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { IncomingRequest } from "./server-span.ts";

/**
 * Receives a request of Node's servers, and follows its response: the context ends when the response is out, or when the
 * client goes away before.
 *
 * @param route the matched route, asked for at the end, when routers have done their work
 */
export function acceptNode(
  accept: Acceptor,
  req: NodeRequest,
  res: NodeResponse,
  route: () => string | undefined,
): Admission {
  const admission = accept(req, () => incoming(req));
  if (admission.isFirst) {
    const { exchange } = admission;
    followNode(exchange, req, res, route, answerAtDeadline(exchange, res));
  }
  return admission;
}

/**
 * Has the exchange told how its response ended.
 *
 * @param stop called before that
 */
export function followNode(
  exchange: Exchange,
  req: NodeRequest,
  res: NodeResponse,
  route?: () => string | undefined,
  stop?: () => void,
): void {
  const leave = joinTraffic(req, res, exchange);
  onceClosed(req, res, () => {
    stop?.();
    leave();
    const status = res.headersSent || res.writableEnded ? res.statusCode : undefined;
    exchange.end({ isDelivered: isDelivered(res), status, route });
  });
}

/** What becomes of an error: we answer with a problem, nobody is left to answer, or it is the application's. */
export type Verdict = Problem | "gone" | "pass";

/** Judges an error that a handler of this request has thrown, and has the exchange remember it. */
export function judge(error: unknown, req: NodeRequest, res: NodeResponse): Verdict {
  exchangeOf(req)?.fail(error);
  const problem = problemOf(error);
  if (isClosed(res) && (problem !== undefined || isCancellation(error))) return "gone";
  return problem === undefined || res.headersSent ? "pass" : problem;
}

function isCancellation(error: unknown): boolean {
  return [...causes(error)].some(({ name }) => name === "AbortError");
}

/** Whether the response went out in full: HTTP/2 reports an aborted one as finished, so there it takes more to tell. */
function isDelivered(res: NodeResponse): boolean {
  if (!res.writableFinished) return false;
  if (!("stream" in res)) return true;
  return res.writableEnded && res.stream.rstCode === 0;
}

function incoming(req: NodeRequest): IncomingRequest {
  const headers = req.headers as Record<string, string | undefined>;
  return {
    method: req.method ?? "GET",
    // A router may have shortened `url`; Express keeps what was sent.
    target: (req as { originalUrl?: string }).originalUrl ?? req.url ?? "/",
    scheme: headers[":scheme"] ?? ((req.socket as TLSSocket | null)?.encrypted ? "https" : "http"),
    authority: headers[":authority"] ?? headers["host"],
    protocolVersion: req.httpVersion === "2.0" ? "2" : req.httpVersion,
    clientAddress: req.socket?.remoteAddress,
    headers: nodeHeaders(req.headers),
  };
}
