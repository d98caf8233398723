import { ConnectError } from "@connectrpc/connect";
import { afterFunc, type CancelFunc, type Context } from "@throughline/context";
import type { OutboundCall } from "@throughline/http/adapter";

import { CODE, codeName } from "../code.ts";
import { incoming } from "./explained.ts";
import { Messages } from "./messages.ts";
import type { ConnectResponse } from "./rpc-of.ts";

/** One call by a client of Connect, to the end of its messages. */
export class MadeCall {
  readonly #ctx: Context;
  readonly #outbound: OutboundCall;
  readonly #controller = new AbortController();
  readonly #release: () => void;
  readonly #tell: (code: string) => void;

  /**
   * @param cancel of the context, if it is the call's own
   * @param signal the caller's
   * @param tell told the code that it ends with, before it is over
   */
  constructor(
    ctx: Context,
    cancel: CancelFunc | undefined,
    outbound: OutboundCall,
    signal: AbortSignal,
    tell: (code: string) => void,
  ) {
    this.#ctx = ctx;
    this.#outbound = outbound;
    this.#tell = tell;
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
      throw this.#ended(error);
    }
    this.#outbound.response(200);
    if (!response.stream) {
      this.#ended();
      return response;
    }
    const message = new Messages(this.#ctx, response.message, {
      over: (error) => void this.#ended(error),
      explain: (error) => incoming(error, this.#ctx),
    });
    return { ...response, message };
  }

  /** @returns what to throw, if it went wrong */
  #ended(error?: unknown): unknown {
    const explained = error === undefined ? undefined : incoming(error, this.#ctx);
    this.#tell(
      codeName(error === undefined ? CODE.OK : explained instanceof ConnectError ? explained.code : CODE.UNKNOWN),
    );
    this.#outbound.end(explained === undefined ? undefined : telling(explained));
    this.#release();
    return explained;
  }
}

/** What spans and metrics tell: the end of a context by itself, any other error by its code. */
function telling(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error;
  const { cause, code, message } = error;
  return cause instanceof Error ? cause : Object.assign(new Error(message), { code: codeName(code) });
}
