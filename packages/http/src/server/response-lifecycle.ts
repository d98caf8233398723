import { type Context } from "@throughline/context";
import { hasDeadline, onEndFirst } from "@throughline/context/internal";

import { isCancellation, isDisconnect } from "./disconnect.ts";
import type { HostResponse } from "./host-response.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { ReceivedRequest } from "./receive.ts";
import type { Router, ServerRequest } from "./server-request.ts";
import { applyStreamLimits } from "./stream-limits.ts";

/** What a host does with a request once admission control has decided. */
export interface HostHandler<R> extends Router {
  /** Runs the handler in the context. */
  run(ctx: Context): R;
  /**
   * Answers with a problem.
   *
   * @param started whether a handler had begun
   */
  reject(problem: Problem, started: boolean): R;
  /** Does nothing: the client has left. */
  ignore(): R;
}

/**
 * Observes the response of a new request, and calls the host's handler: at once, or after the request has left the
 * admission queue.
 */
export function handleRequest<R>(
  received: ReceivedRequest,
  hostResponse: HostResponse,
  handler: HostHandler<R>,
): R | Promise<Awaited<R>> {
  const { serverRequest, decision, isOutermost } = received;
  if (isOutermost) {
    serverRequest.response = hostResponse;
    trackResponse(serverRequest, hostResponse);
  }
  const proceed = (settled: Awaited<typeof decision>): R => {
    const { ctx, settings } = received;
    if (settled === "gone") return handler.ignore();
    if (settled !== "run") return handler.reject(settled, !isOutermost);
    if (isOutermost || ctx !== serverRequest.ctx) answerAtDeadline(serverRequest, ctx);
    applyStreamLimits(serverRequest, settings);
    const work = handler.run(ctx);
    if (work instanceof Promise) serverRequest.track(work);
    return work;
  };
  return decision instanceof Promise ? (decision.then(proceed) as Promise<Awaited<R>>) : proceed(decision);
}

/** Ends the request when its response is sent, or when the client has left before. */
export function trackResponse(serverRequest: ServerRequest, hostResponse: HostResponse): void {
  hostResponse.onceClosed(() => {
    serverRequest.active?.remove(serverRequest);
    const { isDelivered, status } = hostResponse;
    if (!isDelivered) serverRequest.fail(hostResponse.error);
    serverRequest.end({ isDelivered, status });
  });
}

/**
 * Answers 504 in place of the handler when the deadline passes. It does so before any signal aborts, because a stream
 * that listens to the signal would destroy the response.
 *
 * @param ctx the request's own context, or one with an earlier deadline
 */
export function answerAtDeadline(serverRequest: ServerRequest, ctx: Context): void {
  if (hasDeadline(ctx)) serverRequest.addCleanup(onEndFirst(ctx, serverRequest));
}

/**
 * What to do with an error of a handler: answer with a problem, ignore it because the client has left, or pass it to
 * the application.
 */
export type ErrorDisposition = Problem | "gone" | "pass";

export function classifyErrorOn(error: unknown, hostResponse: HostResponse): ErrorDisposition {
  const problem = problemOf(error);
  // Over HTTP/2 a response can be sent before its stream is closed.
  const isOver = hostResponse.isClosed || hostResponse.isDelivered;
  if (hostResponse.isAborted ? isDisconnect(error) : isOver && isCancellation(error)) return "gone";
  return problem === undefined || hostResponse.isBegun ? "pass" : problem;
}
