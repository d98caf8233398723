import { Code, ConnectError } from "@connectrpc/connect";
import { type Context } from "@throughline/context";
import type { ActiveResponse, Rpc, ServerRequest } from "@throughline/http/adapter";

import { HandlerWork } from "../handler-work.ts";
import { callStatusOf, CODE, codeName, httpStatusOf } from "../status.ts";
import { codeOf, connectErrorOf, handlerError } from "./connect-errors.ts";
import { Messages, type MessagesOptions } from "./messages.ts";
import { type ConnectResponse, protocolCode } from "./rpc.ts";

/** One call in a handler of Connect, to the end of its messages. */
export class ServerCall implements ActiveResponse {
  readonly #serverRequest: ServerRequest;
  readonly #rpc: Rpc;
  readonly #forced = Promise.withResolvers<never>();
  readonly #work = new HandlerWork();
  #messages: Messages<unknown> | undefined;
  #failure: { readonly error: unknown } | undefined;
  isBegun = false;
  progress = 0;

  constructor(serverRequest: ServerRequest, rpc: Rpc, signal: AbortSignal) {
    this.#serverRequest = serverRequest;
    this.#rpc = rpc;
    serverRequest.response = this;
    this.#forced.promise.catch(() => {});
    const aborted = (): void => this.#aborted(signal);
    signal.addEventListener("abort", aborted, { once: true });
    serverRequest.addCleanup({ stop: () => signal.removeEventListener("abort", aborted) });
  }

  /** Returns the handler's response, or throws the error of a forced answer if that is first. */
  async respond(ctx: Context, handle: () => Promise<ConnectResponse>): Promise<ConnectResponse> {
    let response: ConnectResponse;
    try {
      response = await Promise.race([this.#handled(ctx, handle), this.#forced.promise]);
    } catch (error) {
      throw this.#failed(error, ctx);
    }
    this.isBegun = true;
    if (!response.stream) this.#end(CODE.OK, true);
    return response;
  }

  async #handled(ctx: Context, handle: () => Promise<ConnectResponse>): Promise<ConnectResponse> {
    const response = await responseOf(this.#work, ctx, handle, {
      onEnd: (error) => this.#end(error === undefined ? CODE.OK : codeOf(error), true),
      mapError: (error) => handlerError(error, ctx),
    });
    if (response.message instanceof Messages) {
      this.#messages = response.message;
      if (this.#failure !== undefined) this.#messages.fail(this.#failure.error);
    }
    return response;
  }

  /** Resolves when the handler has settled, which may be long after the call is over; `undefined` if it has settled. */
  onceHandled(): Promise<void> | undefined {
    return this.#work.settled();
  }

  forceAnswer(error: unknown, serverRequest: ServerRequest): void {
    const status = callStatusOf(error);
    if (status === undefined) return;
    serverRequest.fail(error);
    const answer = connectErrorOf(status, error);
    this.#forced.reject(answer);
    this.#failMessages(answer);
  }

  #failed(error: unknown, ctx: Context): unknown {
    this.#serverRequest.fail(error);
    const answer = handlerError(error, ctx);
    this.#end(codeOf(answer), true);
    return answer;
  }

  /**
   * Connect's own deadline timer may fire a moment before ours and is ignored. Any other abort means that the client
   * disconnected.
   */
  #aborted({ reason }: AbortSignal): void {
    if (reason instanceof ConnectError && reason.code === Code.DeadlineExceeded) return;
    this.#end(CODE.CANCELLED, false);
    this.#failMessages(reason);
  }

  /** Ends the messages, now or as soon as the handler returns them: nothing reads them any more. */
  #failMessages(error: unknown): void {
    this.#failure ??= { error };
    this.#messages?.fail(error);
  }

  #end(code: number, isDelivered: boolean): void {
    this.#rpc.code ??= protocolCode(codeName(code), this.#rpc);
    const handled = this.#serverRequest.isTracked ? this.onceHandled() : undefined;
    if (handled !== undefined) this.#serverRequest.track(handled);
    this.#serverRequest.end({ isDelivered, status: isDelivered ? httpStatusOf(code) : undefined });
  }
}

/** Calls the handler, and counts its work until it has returned one message, or the last one of a stream. */
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
