import { type Exchange, type ExchangeResponse, follow, joinTraffic, type Reply, replyOf } from "@throughline/http";

import { answerError } from "./answer-error.ts";
import type { NodeHost } from "./node-host.ts";
import { rebodied } from "./rebodied.ts";
import { type BodyEnd, watchedBody, type WatchedBody } from "./watched-body.ts";

/** The response of a fetch handler, from before there is one to the end of its body. */
export class FetchReply implements ExchangeResponse {
  readonly #exchange: Exchange;
  readonly #reply: Reply | undefined;
  #race: Race | undefined;
  #body: WatchedBody | undefined;
  #chunks = 0;
  isBegun = false;

  constructor(exchange: Exchange, host: NodeHost | undefined) {
    this.#exchange = exchange;
    exchange.response = this;
    if (host === undefined) return;
    // It tells better than a request's signal and a body, which a host does not read for HEAD.
    const { req, res } = host;
    joinTraffic(exchange, req.socket, "stream" in res ? res.stream.session : undefined);
    this.#reply = replyOf(req, res);
    follow(exchange, this.#reply);
  }

  /** Where there is no connection to look at, it is the chunks that were read. */
  get progress(): number {
    return this.#reply?.progress ?? this.#chunks;
  }

  /** Gives the handler's response, or ours if that is first, and has the exchange told of its end: when the body has been read, or cannot be, or when there is nobody left to read it. */
  async respond(request: Request, answer: () => Promise<Response>): Promise<Response> {
    const exchange = this.#exchange;
    const gone = (): void => exchange.end({ isDelivered: false });
    if (request.signal.aborted) gone();
    else request.signal.addEventListener("abort", gone, { once: true });
    this.#race = new Race(request, answer());
    let response: Response;
    try {
      response = await this.#race.first;
    } catch (error) {
      gone();
      throw error;
    }
    this.isBegun = true;
    const { status } = response;
    if (response.body === null) {
      this.#ended({ how: "read" }, status);
      return response;
    }
    const body = watchedBody(response.body, (end) => this.#ended(end, status), {
      passed: () => void (this.#chunks += 1),
      isDropTold: this.#reply === undefined,
    });
    // From here on a head is out: what ends the request breaks the body off, which must not end as if it were whole. (What says that the
    // time is up may go out after it.)
    if (exchange.refusal === undefined && exchange.ctx.err() === undefined) this.#body = body;
    return rebodied(response, body.stream);
  }

  answerFor(error: unknown, exchange: Exchange): void {
    if (!this.isBegun) {
      if (this.#race?.answer(error) === true) exchange.fail(error);
    } else if (this.#body !== undefined) {
      exchange.fail(error);
      this.#body.breakOff(error);
    }
  }

  #ended(end: BodyEnd, status: number): void {
    if (end.how === "failed") this.#exchange.fail(end.error);
    // That the host has read it all does not say that it is out.
    if (end.how === "read" && this.#reply !== undefined) return;
    this.#exchange.end({ isDelivered: end.how === "read", status });
  }
}

/** The handler's answer against ours. One that comes too late is given up. */
class Race {
  readonly first: Promise<Response>;
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
    const ours = answerError(error, this.#request);
    if (ours === undefined) return false;
    this.#resolve(ours);
    this.#handlers.then((late) => late.body?.cancel(error)).catch(() => {});
    return true;
  }
}
