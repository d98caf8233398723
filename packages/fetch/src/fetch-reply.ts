import { type Exchange, follow, joinTraffic, type Reply, replyOf } from "@throughline/http";

import { answerError } from "./answer-error.ts";
import type { NodeHost } from "./node-host.ts";
import { rebodied } from "./rebodied.ts";
import { type BodyEnd, watchedBody, type WatchedBody } from "./watched-body.ts";

/** The response of a fetch handler, from before there is one to the end of its body. */
export class FetchReply {
  readonly #exchange: Exchange;
  readonly #reply: Reply | undefined;
  #chunks = 0;
  isBegun = false;

  constructor(exchange: Exchange, host: NodeHost | undefined) {
    this.#exchange = exchange;
    exchange.movement = this;
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
    let response: Response;
    try {
      response = await this.#first(request, answer);
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
    const body = watchedBody(
      response.body,
      (end) => this.#ended(end, status),
      () => (this.#chunks += 1),
    );
    // From here on a head is out: what ends the request breaks the body off, which must not end as if it were whole. (What says that the
    // time is up may go out after it.)
    exchange.answerFor =
      exchange.refusal === undefined && exchange.ctx.err() === undefined ? breaking(exchange, body) : undefined;
    return rebodied(response, body.stream);
  }

  /** The handler's answer, or ours if that is first. An answer that comes too late is given up. */
  #first(request: Request, answer: () => Promise<Response>): Promise<Response> {
    const exchange = this.#exchange;
    return new Promise((resolve, reject) => {
      const answering = answer();
      exchange.answerFor = (error) => {
        const ours = answerError(error, request);
        if (ours === undefined) return;
        exchange.fail(error);
        resolve(ours);
        answering.then((late) => late.body?.cancel(error)).catch(() => {});
      };
      answering.then(resolve, reject);
    });
  }

  #ended(end: BodyEnd, status: number): void {
    if (end.how === "failed") this.#exchange.fail(end.error);
    // That the host has read it all does not say that it is out.
    if (end.how === "read" && this.#reply !== undefined) return;
    this.#exchange.end({ isDelivered: end.how === "read", status });
  }
}

function breaking(exchange: Exchange, body: WatchedBody): (error: unknown) => void {
  return (error) => {
    exchange.fail(error);
    body.breakOff(error);
  };
}
