import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import { type Problem, problemResponse } from "../server/problem.ts";
import { type Receiver, receiverWith, serverRequestOf, stripUntrusted } from "../server/receive.ts";
import {
  classifyErrorOn,
  type ErrorDisposition,
  handleRequest,
  type HostHandler,
} from "../server/response-lifecycle.ts";
import { type ServerOptions, serverSettings } from "../server/server-options.ts";
import type { ServerRequest } from "../server/server-request.ts";
import { requestIdHeader } from "../wire/request-id.ts";
import { addActiveRequest } from "./connections.ts";
import { NodeIncoming, type NodeRequest, type NodeResponse, StreamIncoming } from "./node-incoming.ts";
import { hostResponseOf } from "./node-response.ts";
import { bindRequestEvents, bindStreamEvents } from "./request-events.ts";
import { StreamHostResponse } from "./stream-response.ts";
import { watchUpgrades } from "./upgrades.ts";

const describeRequest = (req: NodeRequest): NodeIncoming => new NodeIncoming(req);

/** Creates a receiver for Node's servers, which also removes untrusted headers from upgrade requests. */
export function createNodeReceiver(options: ServerOptions = {}): Receiver {
  const settings = serverSettings(options);
  watchUpgrades(
    (request, mayTrust) => stripUntrusted(request, mayTrust ? settings : { ...settings, trust: undefined }),
    settings.trust !== undefined,
  );
  return receiverWith(settings);
}

/**
 * Receives a request of `node:http` or of the compatibility API of `node:http2`, and calls the host's handler for it.
 */
export function receiveNode<R>(
  receive: Receiver,
  req: NodeRequest,
  res: NodeResponse,
  handler: HostHandler<R>,
): R | Promise<Awaited<R>> {
  const received = receive(req, describeRequest);
  const { serverRequest, isOutermost } = received;
  // The innermost router knows the route: that of a framework inside a requestContext of node:http.
  if (typeof serverRequest.route !== "string" && (isOutermost || handler.route !== undefined)) {
    serverRequest.route = handler;
  }
  if (isOutermost) {
    addActiveRequest(serverRequest, req.socket, "stream" in res ? res.stream.session : undefined);
    bindRequestEvents(serverRequest, req, res);
    setRequestIdHeader(serverRequest, res);
  }
  return handleRequest(received, hostResponseOf(req, res), handler);
}

/** Sends the request id with the response, if the option `requestIdHeader` is set. */
export function setRequestIdHeader({ ctx }: ServerRequest, res: NodeResponse): void {
  const header = requestIdHeader(ctx);
  if (header !== undefined) res.setHeader(...header);
}

/** As {@link receiveNode}, for a stream of `node:http2` without its compatibility API. */
export function receiveStream<R>(
  receive: Receiver,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: string[] | undefined,
  handler: HostHandler<R>,
): R | Promise<Awaited<R>> {
  const received = receive(stream, () => new StreamIncoming(stream, headers, rawHeaders));
  if (received.isOutermost) {
    addActiveRequest(received.serverRequest, stream.session?.socket, stream.session);
    bindStreamEvents(received.serverRequest, stream);
  }
  return handleRequest(received, new StreamHostResponse(stream, headers), handler);
}

/** Decides what to do with an error of a handler, and records it on the request. */
export function classifyError(error: unknown, req: NodeRequest, res: NodeResponse): ErrorDisposition {
  serverRequestOf(req)?.fail(error);
  return classifyErrorOn(error, hostResponseOf(req, res));
}

/**
 * Sends a problem in place of the handler's response.
 *
 * @param started whether a handler had begun
 */
export function sendProblem(req: NodeRequest, res: NodeResponse, problem: Problem, started: boolean): void {
  const hostResponse = hostResponseOf(req, res);
  hostResponse.send(problemResponse(problem, started, hostResponse.accept));
}
