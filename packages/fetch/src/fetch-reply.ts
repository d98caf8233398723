import {
  bindRequestEvents,
  type ServerRequest,
  type ActiveResponse,
  trackResponse,
  addActiveRequest,
  setRequestIdHeader,
  readInContext,
  type HostResponse,
  hostResponseOf,
  requestIdHeader,
} from "@throughline/http/adapter";

import { errorResponse } from "./answer-error.ts";
import type { NodeHost } from "./node-host.ts";
import { type BodyEnd, type Breakable, watchedBody, type WatchedBody, watchInPlace } from "./watched-body.ts";

/** Hosts other than Node read a response by their own native means, which see nothing that is defined on the object. */
const isNode = process.versions["bun"] === undefined && !("Deno" in globalThis);

/** The response of a fetch handler, from before there is one to the end of its body. */
export class FetchHostResponse implements ActiveResponse {
  readonly #serverRequest: ServerRequest;
  readonly #request: Request;
  /** The host's own response, where it shows that: it reports the end of the request better than a signal and a body do. */
  readonly #hostResponse: HostResponse | undefined;
  #race: Race | undefined;
  #body: Breakable | undefined;
  #chunks = 0;
  #isReturned = false;

  constructor(serverRequest: ServerRequest, request: Request, host: NodeHost | undefined) {
    this.#serverRequest = serverRequest;
    this.#request = request;
    serverRequest.response = this;
    if (host === undefined) return;
    const { req, res } = host;
    addActiveRequest(serverRequest, req.socket, "stream" in res ? res.stream.session : undefined);
    bindRequestEvents(serverRequest, req, res);
    setRequestIdHeader(serverRequest, res);
    this.#hostResponse = hostResponseOf(req, res);
    trackResponse(serverRequest, this.#hostResponse);
  }

  get isBegun(): boolean {
    return this.#hostResponse?.isBegun ?? this.#isReturned;
  }

  get isEnded(): boolean {
    return this.#hostResponse?.isEnded === true;
  }

  get isAborted(): boolean {
    return this.#hostResponse?.isAborted ?? this.#request.signal.aborted;
  }

  /** Where there is no connection to look at, the number of chunks that were read. */
  get progress(): number {
    return this.#hostResponse?.progress ?? this.#chunks;
  }

  closeConnection(): void {
    this.#hostResponse?.closeConnection();
  }

  /**
   * Gives the handler's response, or ours if that is first, and reports the end of the request: when the body has been read, or cannot be, or when
   * the client has gone.
   */
  async respond(answer: () => Promise<Response>): Promise<Response> {
    const request = this.#request;
    const gone = (): void => this.#serverRequest.end({ isDelivered: false });
    if (request.signal.aborted) gone();
    else request.signal.addEventListener("abort", gone, { once: true });
    this.#race = new Race(request, answer());
    let response: Response;
    try {
      response = await this.#race.first;
    } catch (error) {
      gone();
      this.#detachIfClosed();
      throw error;
    }
    this.#detachIfClosed();
    this.#isReturned = true;
    return this.#hostResponse === undefined ? this.#watched(response) : this.#readByNode(response, this.#hostResponse);
  }

  /** Over HTTP/2 on Node 22 a response whose client has left throws where a host writes its head, in a promise that nothing handles. */
  #detachIfClosed(): void {
    if (this.#hostResponse?.isClosed === true) this.#hostResponse.detach();
  }

  /** The response itself: its end is that of the host's own. */
  #readByNode(response: Response, hostResponse: HostResponse): Response {
    const serverRequest = this.#serverRequest;
    if (this.#race!.isOurs) {
      hostResponse.leaveUnread();
      return response;
    }
    readInContext(serverRequest.entered, response.body, (error) => serverRequest.fail(error));
    return response;
  }

  /** The response, with a look at how its body is read. */
  #watched(response: Response): Response {
    const { status, body: stream } = response;
    this.#name(response);
    // A body of a foreign kind tells nothing of its end.
    if (typeof stream?.getReader !== "function") {
      this.#ended({ how: "read" }, status);
      return response;
    }
    const watch = (): WatchedBody =>
      watchedBody(stream, (end) => this.#ended(end, status), {
        ctx: this.#serverRequest.entered,
        passed: () => void (this.#chunks += 1),
        isDropTold: true,
      });
    // From here on a head is out: what ends the request breaks the body off, which must not end as if it were whole. (What says that the
    // time is up may go out after it.)
    const isBreakable = this.#serverRequest.refusal === undefined && this.#serverRequest.ctx.err() === undefined;
    if (isNode && stream instanceof ReadableStream) {
      const body = watchInPlace(stream, watch, () => this.#ended({ how: "canceled" }, status));
      if (isBreakable) this.#body = body;
      return response;
    }
    const body = watch();
    if (isBreakable) this.#body = body;
    return new Response(body.stream, response);
  }

  #name(response: Response): void {
    const header = requestIdHeader(this.#serverRequest.ctx);
    try {
      if (header !== undefined) response.headers.set(...header);
    } catch {
      // The headers of a response that was fetched are immutable: it is what another service said.
    }
  }

  forceAnswer(error: unknown, serverRequest: ServerRequest): void {
    if (!this.#isReturned) {
      if (this.#race?.answer(error) === true) serverRequest.fail(error);
    } else if (this.#hostResponse !== undefined) {
      // Ours is whole, and only has to leave.
      if (!this.#race!.isOurs) this.#hostResponse.forceAnswer(error, serverRequest);
    } else if (this.#body !== undefined) {
      serverRequest.fail(error);
      this.#body.breakOff(error);
    }
  }

  #ended(end: BodyEnd, status: number): void {
    if (end.how === "failed") this.#serverRequest.fail(end.error);
    this.#serverRequest.end({ isDelivered: end.how === "read", status });
  }
}

/** The handler's answer against ours. One that comes too late is given up. */
class Race {
  readonly first: Promise<Response>;
  /** Whether the answer is ours. */
  isOurs = false;
  readonly #request: Request;
  readonly #handlers: Promise<Response>;
  readonly #resolve: (response: Response) => void;

  constructor(request: Request, handlers: Promise<Response>) {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.first = promise;
    this.#request = request;
    this.#handlers = handlers;
    this.#resolve = resolve;
    handlers.then(resolve, reject);
  }

  /** Whether the error is ours to answer. */
  answer(error: unknown): boolean {
    const ours = errorResponse(error, this.#request);
    if (ours === undefined) return false;
    this.isOurs = true;
    this.#resolve(ours);
    this.#handlers.then((late) => late.body?.cancel(error)).catch(() => {});
    return true;
  }
}
