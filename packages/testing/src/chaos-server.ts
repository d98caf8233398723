import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { TLSSocket } from "node:tls";

import { callable } from "@throughline/context/internal";

import { delay, forever } from "./delay.ts";
import { type Fault, type FaultOptions, faultsBy, type DrawnFault, resetError, unavailableHeaders } from "./faults.ts";

/** A middleware or handler with faults. */
export interface Chaotic {
  /** The fault of each request so far. */
  readonly faults: readonly Fault[];
}

type NodeRequest = IncomingMessage | Http2ServerRequest;
type NodeResponse = ServerResponse | Http2ServerResponse;

/** Middleware for Express, and for other frameworks whose middleware is called as `(req, res, next)`. */
export type ChaosMiddleware = Chaotic & ((req: NodeRequest, res: NodeResponse, next: () => void) => void);

/** The part of a Koa context that is used. */
export interface ChaosKoaContext {
  readonly req: NodeRequest;
  readonly res: NodeResponse;
  respond?: boolean | undefined;
}

/** Middleware for Koa. */
export type ChaosKoa = Chaotic & ((koa: ChaosKoaContext, next: () => Promise<unknown>) => Promise<void>);

/**
 * Creates Express middleware that makes some requests fail before their handlers. All waiting is on the test clock if
 * one is running. Behind `requestContext`, a request that stalls is answered at its deadline.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function chaosMiddleware(options: FaultOptions = {}): ChaosMiddleware {
  const { faults, next: draw } = sequenceOf(options, "create middleware with faults");
  async function chaosMiddleware(_req: NodeRequest, res: NodeResponse, next: () => void): Promise<void> {
    if (await spared(draw(), res)) next();
  }
  return Object.assign(chaosMiddleware, { faults });
}

/**
 * Creates Koa middleware that makes some requests fail before the later middlewares. All waiting is on the test clock
 * if one is running.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function chaosKoa(options: FaultOptions = {}): ChaosKoa {
  const { faults, next: draw } = sequenceOf(options, "create Koa middleware with faults");
  async function chaosKoa(koa: ChaosKoaContext, next: () => Promise<unknown>): Promise<void> {
    if (await spared(draw(), koa.res)) await next();
    else koa.respond = false;
  }
  return Object.assign(chaosKoa, { faults });
}

/**
 * Wraps a fetch handler so that some requests fail before it. A handler has no connection: a reset is a response whose
 * body fails, on which hosts close the connection. All waiting is on the test clock if one is running.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function chaosHandler<A extends unknown[]>(
  handler: (request: Request, ...rest: A) => Response | Promise<Response>,
  options: FaultOptions = {},
): Chaotic & ((request: Request, ...rest: A) => Promise<Response>) {
  const action = "create a handler with faults";
  callable("handler", handler, action);
  const { faults, next: draw } = sequenceOf(options, action);
  async function chaosHandler(request: Request, ...rest: A): Promise<Response> {
    const drawn = draw();
    await delay(drawn.latency, request.signal);
    if (drawn.fault === "reset") return new Response(failingBody());
    if (drawn.fault === "stall") await forever(request.signal);
    if (drawn.fault === "unavailable") {
      return new Response("unavailable", { status: 503, headers: unavailableHeaders(drawn) });
    }
    return handler(request, ...rest);
  }
  return Object.assign(chaosHandler, { faults });
}

function sequenceOf(options: FaultOptions, action: string): { faults: Fault[]; next: () => DrawnFault } {
  const draw = faultsBy(options, action);
  const faults: Fault[] = [];
  const next = (): DrawnFault => {
    const drawn = draw();
    faults.push(drawn.fault);
    return drawn;
  };
  return { faults, next };
}

/** Applies a fault. Resolves with `false` if no handler may run: a fault was applied, or the client has left. */
async function spared(drawn: DrawnFault, res: NodeResponse): Promise<boolean> {
  if ("stream" in res ? res.stream.destroyed : res.destroyed) return false;
  const leaving = new AbortController();
  const onClose = (): void => leaving.abort();
  res.once("close", onClose);
  try {
    await delay(drawn.latency, leaving.signal);
    if (drawn.fault === "stall") await forever(leaving.signal);
  } catch {
    return false;
  } finally {
    res.off("close", onClose);
  }
  if (drawn.fault === "reset") reset(res);
  if (drawn.fault === "unavailable")
    (res as ServerResponse).writeHead(503, unavailableHeaders(drawn)).end("unavailable");
  return drawn.fault === "none";
}

function reset(res: NodeResponse): void {
  if ("stream" in res) return res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  const { socket } = res;
  // A TLS socket has no handle that can send a TCP reset.
  if (socket instanceof TLSSocket) socket.destroy();
  else socket?.resetAndDestroy();
}

function failingBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.error(resetError()) });
}
