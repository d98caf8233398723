import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { TLSSocket } from "node:tls";

import type { Acceptor } from "./acceptor.ts";
import type { Exchange } from "./exchange.ts";
import { nodeHeaders } from "./headers.ts";
import { type Problem, problemHeaders } from "./problem.ts";
import type { IncomingRequest } from "./server-span.ts";

/** Requests of `node:http` and of `node:http2`'s compatibility API. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Where the exchange is kept with its request: the same for all installed copies of this package. */
const EXCHANGE = Symbol.for("@throughline/http/exchange.1");

/** The exchange that a request was accepted into, if it was. */
export function exchangeOf(req: NodeRequest): Exchange | undefined {
  return (req as { [EXCHANGE]?: Exchange })[EXCHANGE];
}

/**
 * Receives a request of Node's servers, and follows its response: the context ends when the response is out, or when the
 * client goes away before. A request that was received further out is only narrowed.
 *
 * @param route the matched route, asked for at the end, when routers have done their work
 */
export function acceptNode(
  acceptor: Acceptor,
  req: NodeRequest,
  res: NodeResponse,
  route?: () => string | undefined,
): Exchange {
  if (exchangeOf(req) !== undefined) return acceptor.narrow();
  const exchange = acceptor.accept(incoming(req));
  (req as { [EXCHANGE]?: Exchange })[EXCHANGE] = exchange;
  // First in the list: an instrumentation that made the span ends it in a listener on the same event.
  res.prependListener("close", () => {
    if (isDelivered(res)) exchange.finish(res.statusCode, route?.());
    else exchange.disconnect(route?.());
  });
  return exchange;
}

/** Sends a problem document as the whole response. */
export function sendProblem(res: NodeResponse, problem: Problem, started: boolean): void {
  for (const [name, value] of Object.entries(problemHeaders(problem, started))) res.setHeader(name, value);
  res.statusCode = problem.status;
  res.end(JSON.stringify(problem));
}

/** Whether the response went out in full: HTTP/2 reports an aborted one as finished, so there it takes more to tell. */
function isDelivered(res: NodeResponse): boolean {
  if (!res.writableFinished) return false;
  if (!("stream" in res)) return true;
  return res.writableEnded && res.stream.rstCode === 0;
}

function incoming(req: NodeRequest): IncomingRequest {
  const headers = nodeHeaders(req.headers);
  const pseudo = req.headers as Record<string, string | undefined>;
  return {
    method: req.method ?? "GET",
    // A router may have shortened `url`; Express keeps what was sent.
    target: (req as { originalUrl?: string }).originalUrl ?? req.url ?? "/",
    scheme: pseudo[":scheme"] ?? ((req.socket as TLSSocket | null)?.encrypted ? "https" : "http"),
    authority: pseudo[":authority"] ?? pseudo["host"],
    protocolVersion: req.httpVersion === "2.0" ? "2" : req.httpVersion,
    clientAddress: req.socket?.remoteAddress,
    headers,
  };
}
