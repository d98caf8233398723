import { nodeModule } from "@throughline/context/internal";
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
import type { NodeHost } from "./fetch-incoming.ts";
import {
  type AbortableBody,
  type BodyEnd,
  observeBody,
  observeBodyInPlace,
  type ObservedBody,
} from "./response-body.ts";

/** Hosts other than Node read a response natively, and ignore properties that are defined on the object. */
const isNode =
  nodeModule("node:process") !== undefined &&
  // Bun, Deno and Cloudflare's workerd have Node's modules too.
  !["Bun", "Deno", "WebSocketPair"].some((name) => name in globalThis);

/** The response of a fetch handler, from the start of the request to the end of its body. */
export class FetchHostResponse implements ActiveResponse {
  readonly #serverRequest: ServerRequest;
  readonly #request: Request;
  /**
   * Node's response, where the host exposes it: it reports the end of the request better than a signal and a body do.
   */
  readonly #hostResponse: HostResponse | undefined;
  #answer: FirstAnswer | undefined;
  #body: AbortableBody | undefined;
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

  /** Without access to the connection it is the number of chunks that were read. */
  get progress(): number {
    return this.#hostResponse?.progress ?? this.#chunks;
  }

  closeConnection(): void {
    this.#hostResponse?.closeConnection();
  }

  /**
   * Returns the handler's response, or the forced one if that comes first. Ends the request when the body has been
   * read or fails, or when the client disconnects.
   */
  async respond(answer: () => Promise<Response>): Promise<Response> {
    const disconnected = (): void => this.#serverRequest.end({ isDelivered: false });
    // Node's response reports a disconnect too, and hosts make the signal only when it is asked for.
    if (this.#hostResponse === undefined) {
      const { signal } = this.#request;
      if (signal.aborted) disconnected();
      else signal.addEventListener("abort", disconnected, { once: true });
    }
    this.#answer = new FirstAnswer(this.#request, answer());
    let response: Response;
    try {
      response = await this.#answer.response;
    } catch (error) {
      disconnected();
      this.#detachIfClosed();
      throw error;
    }
    this.#detachIfClosed();
    this.#isReturned = true;
    return this.#hostResponse === undefined ? this.#observed(response) : this.#readByNode(response, this.#hostResponse);
  }

  /** On Node 22, writing the head of a closed HTTP/2 response throws, in a promise that no host handles. */
  #detachIfClosed(): void {
    if (this.#hostResponse?.isClosed === true) this.#hostResponse.detach();
  }

  /** The response itself: Node's response reports its end. */
  #readByNode(response: Response, hostResponse: HostResponse): Response {
    const serverRequest = this.#serverRequest;
    if (this.#answer!.isForced) {
      hostResponse.discardRequestBody();
      return response;
    }
    readInContext(serverRequest.entered, bodyOf(response), (error) => serverRequest.fail(error));
    return response;
  }

  /** The response with an observed body, whose end is that of the request. */
  #observed(response: Response): Response {
    const { status, body: stream } = response;
    this.#setRequestId(response);
    // The end of a body of another kind, such as a Node stream, cannot be observed.
    if (typeof stream?.getReader !== "function") {
      this.#ended({ how: "read" }, status);
      return response;
    }
    const observe = (): ObservedBody =>
      observeBody(stream, (end) => this.#ended(end, status), {
        ctx: this.#serverRequest.entered,
        onChunk: () => void (this.#chunks += 1),
      });
    // The head is sent from here on. If the request ends, the body must fail, or the client would take it for
    // complete. The body of a response that reports that end, such as the 504, may still be sent.
    const isAbortable = this.#serverRequest.refusal === undefined && this.#serverRequest.ctx.err() === undefined;
    if (isNode && stream instanceof ReadableStream) {
      const body = observeBodyInPlace(stream, observe, () => this.#ended({ how: "canceled" }, status));
      if (isAbortable) this.#body = body;
      return response;
    }
    const body = observe();
    if (isAbortable) this.#body = body;
    return new Response(body.stream, response);
  }

  #setRequestId(response: Response): void {
    const header = requestIdHeader(this.#serverRequest.ctx);
    try {
      if (header !== undefined) response.headers.set(...header);
    } catch {
      // The headers of a response that the handler fetched are immutable: it keeps those of the other service.
    }
  }

  forceAnswer(error: unknown, serverRequest: ServerRequest): void {
    if (!this.#isReturned) {
      if (this.#answer?.force(error) === true) serverRequest.fail(error);
    } else if (this.#hostResponse !== undefined) {
      // A forced answer is complete already and only has to be sent.
      if (!this.#answer!.isForced) this.#hostResponse.forceAnswer(error, serverRequest);
    } else if (this.#body !== undefined) {
      serverRequest.fail(error);
      this.#body.abort(error);
    }
  }

  #ended(end: BodyEnd, status: number): void {
    if (end.how === "failed") this.#serverRequest.fail(end.error);
    this.#serverRequest.end({ isDelivered: end.how === "read", status });
  }
}

/**
 * The body of a response, or what it will be made from. A response of @hono/node-server keeps its status, body and
 * headers under a symbol, and sends a text from there. It makes a Response of the platform, with a stream, only when
 * somebody asks for one, which takes longer than all the rest of a short request.
 */
function bodyOf(response: Response): unknown {
  for (const key of Object.getOwnPropertySymbols(response)) {
    const kept = (response as unknown as Record<symbol, unknown>)[key];
    if (key.description === "cache" && Array.isArray(kept) && kept.length >= 2) return kept[1];
  }
  return response.body;
}

/** The handler's response or a forced one, whichever comes first. */
class FirstAnswer {
  readonly response: Promise<Response>;
  /** Whether the response is the forced one. */
  isForced = false;
  readonly #request: Request;
  readonly #handled: Promise<Response>;
  readonly #resolve: (response: Response) => void;

  constructor(request: Request, handled: Promise<Response>) {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#request = request;
    this.#handled = handled;
    this.#resolve = resolve;
    handled.then(resolve, reject);
  }

  /**
   * Answers with an error, and cancels the handler's response when it comes.
   *
   * @returns false if this library has no response for the error
   */
  force(error: unknown): boolean {
    const forced = errorResponse(error, this.#request);
    if (forced === undefined) return false;
    this.isForced = true;
    this.#resolve(forced);
    this.#handled.then((late) => late.body?.cancel(error)).catch(() => {});
    return true;
  }
}
