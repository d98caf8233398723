import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";

import { run } from "@throughline/context";
import { now } from "@throughline/context/internal";

import { serverRequestOf } from "../server/receive.ts";
import type { ServerRequest } from "../server/server-request.ts";
import type { NodeRequest, NodeResponse } from "./node-incoming.ts";

/**
 * Runs the listeners on a request in the context of the request. Node emits its events in the context of the
 * connection, in which a body parser that listens to `data`, and all routes after it, would run.
 */
export function bindRequestEvents(serverRequest: ServerRequest, req: NodeRequest, res: NodeResponse): void {
  // Most requests have no body, and so emit no events to wait for. Only HTTP/2 emits their `close` in the context of
  // the session.
  if ("stream" in req || hasBody(req)) replaceEmit(serverRequest, req, emitAll);
  replaceEmit(serverRequest, res, emitDrainAndClose);
}

/** As {@link bindRequestEvents}, for a stream of `node:http2` without its compatibility API. */
export function bindStreamEvents(serverRequest: ServerRequest, stream: ServerHttp2Stream): void {
  replaceEmit(serverRequest, stream, stream.endAfterHeaders ? emitDrainAndClose : emitAll);
}

function hasBody(req: IncomingMessage): boolean {
  const { "content-length": length, "transfer-encoding": encoding } = req.headers;
  return (length !== undefined && length !== "0") || encoding !== undefined;
}

type Emit = (this: Emitter, event: string | symbol, ...args: unknown[]) => boolean;

/**
 * The ServerRequest of an emitter whose request does not hold it. It is not set on every request, since another
 * property would add a hidden class to the requests of Express on Node 22.
 */
const SERVER_REQUEST = Symbol("serverRequest");

/** A request, a response, or a stream, which is both. */
interface Emitter {
  [SERVER_REQUEST]?: ServerRequest;
  /** The request of a response. */
  readonly req?: object;
  emit: Emit;
  listenerCount(event: string): number;
}

/** The previous own `emit` of an emitter, which another tool's agent may have set. */
const previousEmits = new WeakMap<object, Emit>();

/**
 * Replaces `emit` by a function that all requests share, because creating one for each request would cost more than the
 * rest of this file.
 */
function replaceEmit(serverRequest: ServerRequest, emitter: Emitter, emit: Emit): void {
  const received = receivedBy(emitter);
  const isReplaced = emitter[SERVER_REQUEST] !== undefined || (received !== undefined && received !== serverRequest);
  if (received !== serverRequest) emitter[SERVER_REQUEST] = serverRequest;
  if (isReplaced) return;
  if (Object.hasOwn(emitter, "emit")) previousEmits.set(emitter, emitter.emit);
  emitter.emit = emit;
}

/**
 * The ServerRequest that the emitter's request was received with. A fetch handler inside a middleware of Node has
 * another one.
 */
function receivedBy(emitter: Emitter): ServerRequest | undefined {
  return serverRequestOf(emitter.req ?? emitter);
}

function serverRequestFor(emitter: Emitter): ServerRequest {
  return (emitter[SERVER_REQUEST] ?? receivedBy(emitter))!;
}

function emitOf(emitter: object): Emit {
  return previousEmits.get(emitter) ?? (Object.getPrototypeOf(emitter) as Emitter).emit;
}

function emitAll(this: Emitter, ...args: Parameters<Emit>): boolean {
  const serverRequest = serverRequestFor(this);
  // The rest of the body is discarded once the response has ended.
  if (args[0] === "end" && serverRequest.response?.isEnded !== true) serverRequest.receivedAt = now();
  return run(serverRequest.entered, applyEmit, emitOf(this), this, args);
}

/**
 * Only two events of a response run in its context: `drain`, after which a handler continues, and `close`, where access
 * logs are written.
 */
function emitDrainAndClose(this: Emitter, ...args: Parameters<Emit>): boolean {
  const [event] = args;
  const emit = emitOf(this);
  if (event !== "drain" && !(event === "close" && this.listenerCount("close") > 1)) return emit.apply(this, args);
  return run(serverRequestFor(this).entered, applyEmit, emit, this, args);
}

function applyEmit(emit: Emit, emitter: Emitter, args: Parameters<Emit>): boolean {
  return emit.apply(emitter, args);
}
