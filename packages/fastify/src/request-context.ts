import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Stream } from "node:stream";

import { type Context, current, type Duration } from "@throughline/context";
import { milliseconds } from "@throughline/context/internal";
import { drain, type DrainableServer, type ServerOptions } from "@throughline/http";
import {
  classifyError,
  createNodeReceiver,
  readInContext,
  receiveNode,
  type Receiver,
  serverRequestOf,
} from "@throughline/http/adapter";
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
  RouteOptions,
} from "fastify";
import fastifyPlugin from "fastify-plugin";

import { detachReply, FastifyHandler, sendProblemFor } from "./reply.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The Context of the request, also in hooks that run outside of it. */
    readonly ctx: Context;
  }
}

/** Options of the plugin. */
export interface RequestContextOptions extends ServerOptions {
  /**
   * How long active requests may continue when the application closes; 10 seconds by default. Requests that are still
   * active after this time are canceled, have half a second to answer, and are then cut off.
   */
  shutdownTimeout?: Duration;
  /**
   * Whether the plugin answers the errors of this library; `true` by default. With `false`, all errors go to the error
   * handler of the route, which can call {@link answerError}.
   */
  answerErrors?: boolean;
}

const DEFAULT_SHUTDOWN_TIMEOUT = "10s";

/**
 * Fastify plugin that creates a Context for each request. It is `current()`, and `request.ctx`, in all later hooks and
 * in the handler. The Context ends at the caller's deadline or the limit of the server, when the client leaves, and
 * when the response is sent. A request whose deadline has passed on arrival is answered 504, and one with a malformed
 * deadline 400; no later hook or handler runs.
 *
 * It also answers the errors of this library with a problem document: a deadline that passed with 504, overload with
 * 503, `Unauthenticated` with 401, `Forbidden` with 403. A cancellation is ignored if the client has left. All other
 * errors go to the error handler of the route.
 *
 * When the application closes, the plugin drains its servers. Registered again in an encapsulated scope, it can only
 * shorten the deadline.
 *
 * The promise of `app.register` rejects with a TypeError or a RangeError if an option is invalid.
 */
export const requestContext: FastifyPluginAsync<RequestContextOptions> = fastifyPlugin(register, {
  name: "@throughline/fastify",
  fastify: "5.x",
});

async function register(app: FastifyInstance, options: RequestContextOptions): Promise<void> {
  const { shutdownTimeout = DEFAULT_SHUTDOWN_TIMEOUT, answerErrors = true, ...rest } = options;
  milliseconds(shutdownTimeout, "make a request context", "shutdownTimeout");
  const serverOptions = withoutRegisterOptions(rest);
  const receive = createNodeReceiver(serverOptions);
  const servers = new Set<DrainableServer>([app.server]);

  if (!app.hasRequestDecorator("ctx")) app.decorateRequest("ctx", { getter: contextOf });
  app.addHook("onRequest", (request, reply, next) => {
    addServer(servers, request.raw);
    receiveFastify(receive, request, reply, next);
  });
  if (serverOptions.admission !== undefined) app.addHook("onRoute", trackHandler);
  app.addHook("onError", (request, reply, error, next) => {
    const disposition = classifyError(error, request.raw, reply.raw);
    const answers = disposition !== "pass" && (answerErrors || disposition === "gone");
    if (!answers) return next();
    if (disposition !== "gone") sendProblemFor(reply, disposition, true);
    detachReply(reply);
  });
  app.addHook("onSend", (request, _reply, payload, next) => {
    if (typeof payload === "object") observeStream(request, payload);
    next();
  });
  app.addHook("preClose", async () => {
    await Promise.all([...servers].map((server) => drain(server, { shutdownTimeout })));
  });
}

/** Records the error of a response body that is a stream: Fastify destroys the response without it. */
function observeStream(request: FastifyRequest, payload: unknown): void {
  const serverRequest = serverRequestOf(request.raw);
  if (serverRequest === undefined || payload === null) return;
  const failed = (error: unknown): void => serverRequest.fail(error);
  const body: unknown = payload instanceof Response ? payload.body : payload;
  if (body instanceof ReadableStream) readInContext(serverRequest.entered, body, failed);
  else if (body instanceof Stream) body.once("error", failed);
}

/** Options that Fastify reads itself when a plugin is registered, and passes on with the plugin's own. */
const REGISTER_OPTIONS = new Set(["prefix", "logLevel", "logSerializers"]);

function withoutRegisterOptions(options: object): ServerOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !REGISTER_OPTIONS.has(name)));
}

/**
 * Fastify hook for a single route, inside the scope of the plugin. It applies further limits, which can only shorten
 * the deadline: `app.get("/report", { onRequest: routeContext({ maxTimeout: "500ms" }) }, handler)`.
 *
 * @throws TypeError, RangeError at this call, not at the first request, if an option is invalid
 */
export function routeContext(options?: ServerOptions): onRequestHookHandler {
  const receive = createNodeReceiver(options);
  return (request, reply, next) => receiveFastify(receive, request, reply, next);
}

function receiveFastify(receive: Receiver, request: FastifyRequest, reply: FastifyReply, next: () => void): void {
  void receiveNode<void>(receive, request.raw, reply.raw, new FastifyHandler(request, reply, next));
}

function contextOf(this: FastifyRequest): Context {
  return serverRequestOf(this.raw)?.entered ?? current();
}

/** Fastify listens on a second server if the host is `localhost`; only connections name it. */
function addServer(servers: Set<DrainableServer>, req: IncomingMessage): void {
  const { server } = (req.socket ?? {}) as Socket & { server?: DrainableServer };
  if (server !== undefined) servers.add(server);
}

/** Wraps the handler of a route, so that admission control counts it as running until its promise settles. */
function trackHandler(route: RouteOptions): void {
  const { handler } = route;
  route.handler = function (request, reply) {
    const result: unknown = handler.call(this, request, reply);
    if (result instanceof Promise) serverRequestOf(request.raw)?.track(result);
    return result;
  };
}

/**
 * Answers an error of this library in an error handler of Fastify. Only needed with `answerErrors: false`, or for an
 * error that another error handler has thrown.
 *
 * @returns whether it has answered. If not, the error handler answers
 */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): boolean {
  const disposition = classifyError(error, request.raw, reply.raw);
  if (disposition === "pass") return false;
  if (disposition !== "gone") sendProblemFor(reply, disposition, true);
  detachReply(reply);
  return true;
}
