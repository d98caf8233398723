import { afterFunc, type CancelFunc, type Context } from "@throughline/context";
import type { OutboundCall } from "@throughline/http/adapter";

import { callError, endCodeName, errorForTelemetry } from "./connect-errors.ts";
import { Messages } from "./messages.ts";
import type { ConnectResponse } from "./rpc.ts";

/** One call of a client of Connect, to the end of its messages. */
export class ClientCall {
  readonly #ctx: Context;
  readonly #outbound: OutboundCall;
  readonly #controller = new AbortController();
  readonly #release: () => void;
  readonly #setCode: (code: string) => void;

  /**
   * @param cancel cancels the context, if it was derived for this call
   * @param signal the caller's
   * @param setCode receives the name of the code that the call ends with, before the end is reported
   */
  constructor(
    ctx: Context,
    cancel: CancelFunc | undefined,
    outbound: OutboundCall,
    signal: AbortSignal,
    setCode: (code: string) => void,
  ) {
    this.#ctx = ctx;
    this.#outbound = outbound;
    this.#setCode = setCode;
    const aborted = (): void => this.#controller.abort(signal.reason);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
    const stop = afterFunc(ctx, () => this.#controller.abort(ctx.err()));
    this.#release = () => {
      signal.removeEventListener("abort", aborted);
      stop();
      cancel?.();
    };
  }

  async send(next: (signal: AbortSignal) => Promise<ConnectResponse>): Promise<ConnectResponse> {
    let response: ConnectResponse;
    try {
      this.#outbound.sent();
      response = await next(this.#controller.signal);
    } catch (error) {
      throw this.#end(error);
    }
    this.#outbound.response(200);
    if (!response.stream) {
      this.#end();
      return response;
    }
    const message = new Messages(this.#ctx, response.message, {
      onEnd: (error) => void this.#end(error),
      mapError: (error) => callError(error, this.#ctx),
    });
    return { ...response, message };
  }

  /** @returns the error to throw, if the call failed */
  #end(error?: unknown): unknown {
    const thrown = error === undefined ? undefined : callError(error, this.#ctx);
    this.#setCode(endCodeName(thrown));
    this.#outbound.end(thrown === undefined ? undefined : errorForTelemetry(thrown));
    this.#release();
    return thrown;
  }
}
