import { constants } from "node:http2";

import { afterFunc, DeadlineExceeded } from "@throughline/context";

import type { Exchange } from "./exchange.ts";
import { isClosed } from "./node-close.ts";
import type { NodeResponse } from "./node-types.ts";
import { isRepresentationHeader, type Problem, problemHeaders, problemOf } from "./problem.ts";

/**
 * Has a deadline that passes while the handler runs answered without it: with 504 if nothing is out yet; else the response is broken
 * off, never ended as if it were whole.
 *
 * @returns what to call when the response is over
 */
export function answerAtDeadline(exchange: Exchange, res: NodeResponse): (() => void) | undefined {
  const { ctx, refusal } = exchange;
  if (refusal !== undefined || ctx.remaining() === Infinity) return undefined;
  return afterFunc(ctx, () => {
    const error = ctx.err();
    if (!(error instanceof DeadlineExceeded) || res.writableEnded || isClosed(res)) return;
    exchange.fail(error);
    if (res.headersSent) {
      breakOff(res);
    } else {
      sendProblem(res, problemOf(error)!, true);
      silence(res);
    }
  });
}

/** Sends a problem document as the whole response, in place of what was to be sent. */
export function sendProblem(res: NodeResponse, problem: Problem, started: boolean): void {
  for (const name of res.getHeaderNames()) if (isRepresentationHeader(name)) res.removeHeader(name);
  for (const [name, value] of Object.entries(problemHeaders(problem, started))) res.setHeader(name, value);
  res.statusCode = problem.status;
  res.end(JSON.stringify(problem));
}

/**
 * Makes all that a handler may still do to its response of no effect, as it does not know that it was answered: nothing throws, nothing
 * goes out, and it looks as if nothing had. Only this response pays for it.
 */
function silence(res: NodeResponse): void {
  const self = (): NodeResponse => res;
  const written = (...args: unknown[]): boolean => (callBack(args), true);
  const ended = (...args: unknown[]): NodeResponse => (callBack(args), res);
  const methods = {
    setHeader: self,
    setHeaders: self,
    appendHeader: self,
    removeHeader: () => {},
    writeHead: self,
    flushHeaders: () => {},
    write: written,
    end: ended,
  };
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(res, name, { value, configurable: true });
  Object.defineProperty(res, "headersSent", { value: false, configurable: true });
  const { statusCode } = res;
  Object.defineProperty(res, "statusCode", { get: () => statusCode, set: () => {}, configurable: true });
}

/** So that the client notices: HTTP/2's `CANCEL` passes for a good end with some. */
function breakOff(res: NodeResponse): void {
  if ("stream" in res) res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else res.destroy();
}

function callBack(args: unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === "function") process.nextTick(callback as () => void);
}
