import { type Interceptor, type Listener, Metadata, type Requester, type StatusObject } from "@grpc/grpc-js";
import { afterFunc, type CancelFunc, type Context, ContextError } from "@throughline/context";
import { type ClientSettings, OutboundCall, type OutgoingRequest, type Rpc } from "@throughline/http";

import { CODE, codeName } from "./code.ts";
import { errorOfStatus, statusOfEnd } from "./status.ts";

type InterceptingCallInterface = ReturnType<Parameters<Interceptor>[1]>;

/** A status as grpc-js makes an error of it: it takes over what is there, the cause too. */
type ExplainedStatus = StatusObject & { cause?: unknown };

/** How long after grpc-js's own clock ours may say the same, in milliseconds: it counts on the wall clock, and keeps the usual margin. */
const APART = 5;

/** One call by a client of grpc-js, from before it is sent to its status. */
export class MadeCall {
  readonly #ctx: Context;
  readonly #cancel: CancelFunc | undefined;
  readonly #request: OutgoingRequest & { readonly rpc: Rpc };
  readonly #settings: ClientSettings;
  readonly #call: InterceptingCallInterface;
  #outbound: OutboundCall | undefined;
  #stop: (() => boolean) | undefined;

  /**
   * @param cancel of the context, if it is the call's own
   */
  constructor(
    ctx: Context,
    cancel: CancelFunc | undefined,
    request: OutgoingRequest & { readonly rpc: Rpc },
    settings: ClientSettings,
    call: InterceptingCallInterface,
  ) {
    this.#ctx = ctx;
    this.#cancel = cancel;
    this.#request = request;
    this.#settings = settings;
    this.#call = call;
  }

  requester(): Requester {
    return { start: (metadata, listener, next) => this.#start(metadata, listener, next) };
  }

  #start(metadata: Metadata, listener: Listener, next: (metadata: Metadata, listener: Listener) => void): void {
    let outbound: OutboundCall;
    try {
      outbound = OutboundCall.begin(this.#ctx, this.#request, this.#settings);
    } catch (error) {
      this.#cancel?.();
      return this.#refuse(error, listener);
    }
    this.#outbound = outbound;
    // The caller's own may be used for the next call too, in somebody else's context.
    const sent = metadata.clone();
    for (const [name, value] of outbound.headers) {
      // grpc-js writes it itself, from the deadline that it was given, when the call leaves: it may wait for a connection.
      if (name !== "grpc-timeout") sent.set(name, value);
    }
    outbound.sent();
    this.#stop = afterFunc(this.#ctx, () => {
      const { code, details } = statusOfEnd(this.#ctx.err()!);
      this.#call.cancelWithStatus(code, details);
    });
    next(sent, {
      onReceiveMetadata: (received, pass) => {
        outbound.response(200);
        pass(received);
      },
      onReceiveStatus: (status, pass) => this.#ended(status, pass),
    });
  }

  /** It is not sent at all. */
  #refuse(error: unknown, listener: Listener): void {
    if (!(error instanceof ContextError)) throw error;
    const { code, details } = statusOfEnd(error);
    const status: ExplainedStatus = { code, details, metadata: new Metadata(), cause: error };
    // It has a clock already, which would go on.
    this.#call.cancelWithStatus(code, details);
    // Whoever calls must have its call before it is told of its end.
    process.nextTick(() => listener.onReceiveStatus?.(status, () => {}));
  }

  #ended(status: StatusObject, pass: (status: StatusObject) => void): void {
    const { code }: { readonly code: number } = status;
    const isDeadline = code === CODE.DEADLINE_EXCEEDED;
    if (isDeadline && this.#ctx.err() === undefined && this.#ctx.remaining() <= APART) {
      // The same clock, read a moment before: all that ends with the context ends with the one error.
      this.#stop?.();
      afterFunc(this.#ctx, () => this.#settle(status, pass));
    } else {
      this.#settle(status, pass);
    }
  }

  #settle(status: StatusObject, pass: (status: StatusObject) => void): void {
    this.#stop?.();
    const { code, details }: { readonly code: number; readonly details: string } = status;
    const error = this.#errorOf(code, details);
    this.#request.rpc.code = codeName(code);
    this.#outbound?.end(error ?? (code === CODE.OK ? undefined : failure(code, details)));
    this.#cancel?.();
    pass(error === undefined ? status : ({ ...status, cause: error } as ExplainedStatus));
  }

  /** Why it was cut short, if it was: the end of our context, else what the other side says of its own. */
  #errorOf(code: number, details: string): ContextError | undefined {
    if (code !== CODE.DEADLINE_EXCEEDED && code !== CODE.CANCELLED) return undefined;
    return this.#ctx.err() ?? errorOfStatus(code, details);
  }
}

/** For spans and metrics, which tell errors by their code. */
function failure(code: number, details: string): Error {
  return Object.assign(new Error(details), { code: codeName(code) });
}
