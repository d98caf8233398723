import { AsyncResource } from "node:async_hooks";

import {
  InterceptingCall,
  type InterceptingListener,
  type Interceptor,
  Metadata,
  type StatusObject,
} from "@grpc/grpc-js";
import { afterFunc, type CancelFunc, type Context, ContextError } from "@throughline/context";
import { onEndFirst, type EndObserver, type Stoppable } from "@throughline/context/internal";
import { type ClientSettings, OutboundCall, type OutgoingRequest, type Rpc } from "@throughline/http/adapter";

import { CODE, codeName } from "./code.ts";
import { type CallStatus, errorOfStatus, statusOfEnd } from "./status.ts";

type InterceptingCallInterface = ReturnType<Parameters<Interceptor>[1]>;
type MessageContext = Parameters<InterceptingCallInterface["sendMessageWithContext"]>[0];

/** A status as grpc-js makes an error of it: it takes over what is there, the cause too. */
type ExplainedStatus = StatusObject & { cause?: unknown };

/** How long after grpc-js's own clock ours may say the same, in milliseconds: it counts on the wall clock, and keeps the usual margin. */
const APART = 5;

/**
 * One call by a client of grpc-js, from before it is sent to its status: what the client sends goes through it, and what comes back. Both by methods, as
 * an interceptor of closures costs grpc-js several more of its own for each call.
 */
export class MadeCall extends InterceptingCall implements InterceptingListener, EndObserver {
  readonly #ctx: Context;
  readonly #cancel: CancelFunc | undefined;
  readonly #request: OutgoingRequest & { readonly rpc: Rpc };
  readonly #settings: ClientSettings;
  readonly #call: InterceptingCallInterface;
  #listener: Partial<InterceptingListener> | undefined = undefined;
  /** `undefined` unless it is sent. */
  #outbound: OutboundCall | undefined = undefined;
  /** Where it was started: what comes of its end runs there too, wherever that comes from. */
  #scope: AsyncResource | undefined = undefined;
  #watching: Stoppable | undefined = undefined;

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
    super(call);
    this.#ctx = ctx;
    this.#cancel = cancel;
    this.#request = request;
    this.#settings = settings;
    this.#call = call;
  }

  override start(metadata: Metadata, listener?: Partial<InterceptingListener>): void {
    this.#listener = listener;
    let outbound: OutboundCall;
    try {
      outbound = OutboundCall.begin(this.#ctx, this.#request, this.#settings);
    } catch (error) {
      this.#cancel?.();
      return this.#refuse(error);
    }
    this.#outbound = outbound;
    let sent = metadata;
    for (const [name, value] of outbound.headers) {
      // grpc-js writes it itself, from the deadline that it was given, when the call leaves: it may wait for a connection.
      if (name === "grpc-timeout") continue;
      // The caller's own may be used for the next call too, in another context.
      if (sent === metadata) sent = metadata.clone();
      sent.set(name, value);
    }
    outbound.sent();
    this.#scope = new AsyncResource("throughline.call", { requireManualDestroy: true });
    this.#watching = onEndFirst(this.#ctx, this);
    this.#call.start(sent, this);
  }

  contextEnded(ctx: Context): void {
    this.#scope!.runInAsyncScope(cancel, undefined, this.#call, statusOfEnd(ctx.err()!));
  }

  override sendMessageWithContext(context: MessageContext, message: unknown): void {
    if (this.#outbound !== undefined) this.#call.sendMessageWithContext(context, message);
  }

  override halfClose(): void {
    if (this.#outbound !== undefined) this.#call.halfClose();
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#outbound!.response(200);
    this.#listener?.onReceiveMetadata?.(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#listener?.onReceiveMessage?.(message);
  }

  onReceiveStatus(status: StatusObject): void {
    const { code }: { readonly code: number } = status;
    const isDeadline = code === CODE.DEADLINE_EXCEEDED;
    if (isDeadline && this.#ctx.err() === undefined && this.#ctx.remaining() <= APART) {
      // The same clock, read a moment before: all that ends with the context ends with the one error.
      this.#watching?.stop();
      afterFunc(this.#ctx, () => this.#settle(status));
    } else {
      this.#settle(status);
    }
  }

  /** It is not sent at all. */
  #refuse(error: unknown): void {
    const { code, details } =
      error instanceof ContextError ? statusOfEnd(error) : { code: CODE.INTERNAL, details: "Not sent" };
    // It has a clock already, which would go on.
    this.#call.cancelWithStatus(code, details);
    if (!(error instanceof ContextError)) throw error;
    const status: ExplainedStatus = { code, details, metadata: new Metadata(), cause: error };
    // Whoever calls must have its call before it is told of its end.
    process.nextTick(() => this.#listener?.onReceiveStatus?.(status));
  }

  #settle(status: StatusObject): void {
    this.#watching?.stop();
    const { code, details }: { readonly code: number; readonly details: string } = status;
    const error = this.#errorOf(code, details);
    this.#request.rpc.code = codeName(code);
    this.#outbound!.end(error ?? (code === CODE.OK ? undefined : failure(code, details)));
    this.#cancel?.();
    this.#listener?.onReceiveStatus?.(error === undefined ? status : ({ ...status, cause: error } as ExplainedStatus));
  }

  /** Why it was cut short, if it was: the end of our context, else what the other side says of its own. */
  #errorOf(code: number, details: string): ContextError | undefined {
    if (code !== CODE.DEADLINE_EXCEEDED && code !== CODE.CANCELLED) return undefined;
    return this.#ctx.err() ?? errorOfStatus(code, details);
  }
}

function cancel(call: InterceptingCallInterface, { code, details }: CallStatus): void {
  call.cancelWithStatus(code, details);
}

/** For spans and metrics, which tell errors by their code. */
function failure(code: number, details: string): Error {
  return Object.assign(new Error(details), { code: codeName(code) });
}
