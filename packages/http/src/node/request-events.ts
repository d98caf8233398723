import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";

import { run } from "@throughline/context";

import { serverRequestOf } from "../server/receive.ts";
import type { ServerRequest } from "../server/server-request.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";

/**
 * Has listeners on a request find the request's context as the current one. Node emits its events in the context of the connection, in which parsers
 * that are fed by `data`, and all routes behind them, would run.
 */
export function bindRequestEvents(serverRequest: ServerRequest, req: NodeRequest, res: NodeResponse): void {
  // Without a body there is nothing to wait for, and most requests have none. Only HTTP/2 emits their `close` in the context of the session.
  if ("stream" in req || hasBody(req)) replace(serverRequest, req, emitAll);
  replace(serverRequest, res, emitLate);
}

/** The same for a stream of `node:http2`, without its compatibility API. */
export function bindStreamEvents(serverRequest: ServerRequest, stream: ServerHttp2Stream): void {
  replace(serverRequest, stream, stream.endAfterHeaders ? emitLate : emitAll);
}

function hasBody(req: IncomingMessage): boolean {
  const { "content-length": length, "transfer-encoding": encoding } = req.headers;
  return (length !== undefined && length !== "0") || encoding !== undefined;
}

type Emit = (this: Emitter, event: string | symbol, ...args: unknown[]) => boolean;

/** Whose events these are, where the request does not tell. A property more on each request is a hidden class more in Express on Node 22. */
const SERVER_REQUEST = Symbol("serverRequest");

/** A request, its response, or a stream that is both. */
interface Emitter {
  [SERVER_REQUEST]?: ServerRequest;
  /** The request of a response. */
  readonly req?: object;
  emit: Emit;
  listenerCount(event: string): number;
}

/** What an emitter's `emit` was, where it is not that of its class: an agent of another tool may have replaced it. */
const replaced = new WeakMap<object, Emit>();

/** The functions are the same for all requests, as one made for each would cost more than all that is done here. */
function replace(serverRequest: ServerRequest, emitter: Emitter, emit: Emit): void {
  const accepted = acceptedWith(emitter);
  const isOurs = emitter[SERVER_REQUEST] !== undefined || (accepted !== undefined && accepted !== serverRequest);
  if (accepted !== serverRequest) emitter[SERVER_REQUEST] = serverRequest;
  if (isOurs) return;
  if (Object.hasOwn(emitter, "emit")) replaced.set(emitter, emitter.emit);
  emitter.emit = emit;
}

/** The request that its request was accepted into. A fetch handler behind a server of ours has another one. */
function acceptedWith(emitter: Emitter): ServerRequest | undefined {
  return serverRequestOf(emitter.req ?? emitter);
}

function exchangeBehind(emitter: Emitter): ServerRequest {
  return (emitter[SERVER_REQUEST] ?? acceptedWith(emitter))!;
}

function emitOf(emitter: object): Emit {
  return replaced.get(emitter) ?? (Object.getPrototypeOf(emitter) as Emitter).emit;
}

function emitAll(this: Emitter, ...args: Parameters<Emit>): boolean {
  const serverRequest = exchangeBehind(this);
  // What comes later is discarded.
  if (args[0] === "end" && serverRequest.response?.isEnded !== true) serverRequest.receivedAt = performance.now();
  return run(serverRequest.entered, applied, emitOf(this), this, args);
}

/** Of a response only what comes late: what waits for `drain` goes on then, and what waits for `close` reports on the request. */
function emitLate(this: Emitter, ...args: Parameters<Emit>): boolean {
  const [event] = args;
  const emit = emitOf(this);
  if (event !== "drain" && !(event === "close" && this.listenerCount("close") > 1)) return emit.apply(this, args);
  return run(exchangeBehind(this).entered, applied, emit, this, args);
}

function applied(emit: Emit, emitter: Emitter, args: Parameters<Emit>): boolean {
  return emit.apply(emitter, args);
}
