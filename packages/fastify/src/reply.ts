import type { Context } from "@throughline/context";
import { runRequest } from "@throughline/context/internal";
import {
  type ActiveResponse,
  type HostHandler,
  type Problem,
  problemOf,
  sendProblem,
  type ServerRequest,
  serverRequestOf,
} from "@throughline/http/adapter";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Continues a request in Fastify. It is a class because closures for each request would cost more. */
export class FastifyHandler implements HostHandler<void> {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #next: () => void;

  constructor(request: FastifyRequest, reply: FastifyReply, next: () => void) {
    this.#request = request;
    this.#reply = reply;
    this.#next = next;
  }

  run(ctx: Context): void {
    const serverRequest = serverRequestOf(this.#request.raw);
    const response = serverRequest?.response;
    if (response !== undefined && !(response instanceof FastifyResponse)) {
      serverRequest!.response = new FastifyResponse(response, this.#reply);
    }
    runRequest(ctx, this.#next);
  }

  reject(problem: Problem, started: boolean): void {
    sendProblemFor(this.#reply, problem, started);
  }

  ignore(): void {}

  /** The route as it was registered, with the prefixes of its scopes; `undefined` if none has matched. */
  route(): string | undefined {
    return this.#request.routeOptions.url;
  }
}

/** Node's response, and Fastify's reply, which keeps headers and a state of its own. */
class FastifyResponse implements ActiveResponse {
  readonly #response: ActiveResponse;
  readonly #reply: FastifyReply;

  constructor(response: ActiveResponse, reply: FastifyReply) {
    this.#response = response;
    this.#reply = reply;
  }

  get isBegun(): boolean {
    return this.#response.isBegun;
  }

  get isAborted(): boolean {
    return this.#response.isAborted === true;
  }

  get isEnded(): boolean {
    return this.#response.isEnded === true;
  }

  get progress(): number {
    return this.#response.progress;
  }

  closeConnection(): void {
    this.#response.closeConnection?.();
  }

  forceAnswer(error: unknown, serverRequest: ServerRequest): void {
    const reply = this.#reply;
    if (!this.isBegun) copyHeaders(reply);
    this.#response.forceAnswer(error, serverRequest);
    detachReply(reply);
  }
}

/** Sends a problem in place of the handler's response, with the headers that hooks and the handler have set. */
export function sendProblemFor(reply: FastifyReply, problem: Problem, started: boolean): void {
  copyHeaders(reply);
  sendProblem(reply.request.raw, reply.raw, problem, started);
}

/** Fastify keeps headers, such as those of CORS, until it sends the head. */
function copyHeaders(reply: FastifyReply): void {
  const { raw } = reply;
  if (raw.headersSent || raw.destroyed) return;
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value);
  }
}

/** Fastify logs this as an error if the handler of a hijacked reply rejects. */
const REJECTED_LATE = "Promise errored, but reply.sent = true was set";

/**
 * Detaches a handler from a reply that was answered in its place. Fastify calls no further hook or handler for a
 * hijacked reply. What the handler sends from now on has no effect. If it rejects, Fastify logs only an error of the
 * application, and not one that results from the end of the request.
 */
export function detachReply(reply: FastifyReply): void {
  const { log } = reply;
  const serverRequest = serverRequestOf(reply.request.raw);
  const error = (...args: unknown[]): void => {
    if (args[1] === REJECTED_LATE) {
      const { err } = args[0] as { err: unknown };
      if (problemOf(err) !== undefined || serverRequest?.canIgnore(err) === true) return;
    }
    (log.error as (...args: unknown[]) => void).apply(log, args);
  };
  reply.log = Object.create(log, { error: { value: error } }) as FastifyReply["log"];
  reply.send = () => reply;
  reply.hijack();
}
