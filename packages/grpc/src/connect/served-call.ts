import { Code, ConnectError } from "@connectrpc/connect";
import { type Context } from "@throughline/context";
import type { ServerRequest, ActiveResponse, Rpc } from "@throughline/http/adapter";

import { CODE, codeName, httpStatusOf } from "../code.ts";
import { HandlerWork } from "../handler-work.ts";
import { callStatusOf } from "../status.ts";
import { connectErrorOf, outgoing } from "./explained.ts";
import { Messages, type MessagesOptions } from "./messages.ts";
import { type ConnectResponse, written } from "./rpc-of.ts";

/** One call in a handler of Connect, to the end of its messages. */
export class ServedCall implements ActiveResponse {
  readonly #exchange: ServerRequest;
  readonly #rpc: Rpc;
  readonly #answered = Promise.withResolvers<never>();
  readonly #work = new HandlerWork();
  #messages: Messages<unknown> | undefined;
  #failure: { readonly error: unknown } | undefined;
  isBegun = false;
  progress = 0;

  constructor(serverRequest: ServerRequest, rpc: Rpc, signal: AbortSignal) {
    this.#exchange = serverRequest;
    this.#rpc = rpc;
    serverRequest.response = this;
    this.#answered.promise.catch(() => {});
    const aborted = (): void => this.#aborted(signal);
    signal.addEventListener("abort", aborted, { once: true });
    serverRequest.addCleanup({ stop: () => signal.removeEventListener("abort", aborted) });
  }

  /** The handler's response, unless ours is first. */
  async respond(ctx: Context, handle: () => Promise<ConnectResponse>): Promise<ConnectResponse> {
    let response: ConnectResponse;
    try {
      response = await Promise.race([this.#handled(ctx, handle), this.#answered.promise]);
    } catch (error) {
      throw this.#failed(error, ctx);
    }
    this.isBegun = true;
    if (!response.stream) this.#end(CODE.OK, true);
    return response;
  }

  async #handled(ctx: Context, handle: () => Promise<ConnectResponse>): Promise<ConnectResponse> {
    const response = await responseOf(this.#work, ctx, handle, {
      over: (error) => this.#end(error === undefined ? CODE.OK : codeOf(error), true),
      explain: (error) => outgoing(error, ctx),
    });
    if (response.message instanceof Messages) {
      this.#messages = response.message;
      if (this.#failure !== undefined) this.#messages.fail(this.#failure.error);
    }
    return response;
  }

  /** Resolves when the handler has settled, which may be long after the call is over; `undefined` if it has. */
  onceHandled(): Promise<void> | undefined {
    return this.#work.settled();
  }

  forceAnswer(error: unknown, serverRequest: ServerRequest): void {
    const status = callStatusOf(error);
    if (status === undefined) return;
    serverRequest.fail(error);
    const answer = connectErrorOf(status, error);
    this.#answered.reject(answer);
    this.#fail(answer);
  }

  #failed(error: unknown, ctx: Context): unknown {
    this.#exchange.fail(error);
    const answer = outgoing(error, ctx);
    this.#end(codeOf(answer), true);
    return answer;
  }

  /** Connect's own clock may be a moment before ours; whatever else aborts is a client that has gone. */
  #aborted({ reason }: AbortSignal): void {
    if (reason instanceof ConnectError && reason.code === Code.DeadlineExceeded) return;
    this.#end(CODE.CANCELLED, false);
    this.#fail(reason);
  }

  /** Ends the messages, if there are any, or when they come: nobody wants them any more. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#messages?.fail(error);
  }

  #end(code: number, isDelivered: boolean): void {
    this.#rpc.code ??= written(codeName(code), this.#rpc);
    const handled = this.#exchange.isTracked ? this.onceHandled() : undefined;
    if (handled !== undefined) this.#exchange.track(handled);
    this.#exchange.end({ isDelivered, status: isDelivered ? httpStatusOf(code) : undefined });
  }
}

/** The response of a handler, whose work goes on until it is there, or its last message. */
export async function responseOf(
  work: HandlerWork,
  ctx: Context,
  handle: () => Promise<ConnectResponse>,
  options: Omit<MessagesOptions, "work">,
): Promise<ConnectResponse> {
  work.begin();
  try {
    const response = await handle();
    if (!response.stream) return response;
    return { ...response, message: new Messages(ctx, response.message, { ...options, work }) };
  } finally {
    work.end();
  }
}

function codeOf(error: unknown): number {
  return error instanceof ConnectError ? error.code : CODE.UNKNOWN;
}
