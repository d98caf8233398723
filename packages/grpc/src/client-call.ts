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

import { type CallStatus, CODE, codeName, errorOfStatus, errorWithCode, statusOfEnd } from "./status.ts";

type InterceptingCallInterface = ReturnType<Parameters<Interceptor>[1]>;
type MessageContext = Parameters<InterceptingCallInterface["sendMessageWithContext"]>[0];

/** A status with a cause. grpc-js copies all properties of a status to the error that it creates. */
type StatusWithCause = StatusObject & { cause?: unknown };

/**
 * By how many milliseconds the timer of grpc-js may be ahead of the context's deadline: it counts on the wall clock,
 * and the default margin is subtracted from its deadline.
 */
const TIMER_LEAD_MS = 5;

/**
 * One call of a client of grpc-js, from before it is sent to its status. It intercepts both directions with methods: an
 * interceptor that consists of closures makes grpc-js allocate several more for each call.
 */
export class ClientCall extends InterceptingCall implements InterceptingListener, EndObserver {
  readonly #ctx: Context;
  readonly #cancel: CancelFunc | undefined;
  readonly #request: OutgoingRequest & { readonly rpc: Rpc };
  readonly #settings: ClientSettings;
  readonly #call: InterceptingCallInterface;
  #listener: Partial<InterceptingListener> | undefined = undefined;
  /** `undefined` until the call is sent. */
  #outbound: OutboundCall | undefined = undefined;
  /**
   * The async scope that the call was started in. Listeners run in it, even if the context is canceled from another
   * one.
   */
  #scope: AsyncResource | undefined = undefined;
  #endListener: Stoppable | undefined = undefined;

  /** @param cancel cancels the context, if it was derived for this call */
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
      return this.#failUnsent(error);
    }
    this.#outbound = outbound;
    let sent = metadata;
    for (const [name, value] of outbound.headers) {
      // grpc-js writes it from its deadline when the call leaves, which may be after a wait for a connection.
      if (name === "grpc-timeout") continue;
      // The caller may use the same metadata for another call in another context.
      if (sent === metadata) sent = metadata.clone();
      sent.set(name, value);
    }
    outbound.sent();
    this.#scope = new AsyncResource("throughline.call", { requireManualDestroy: true });
    this.#endListener = onEndFirst(this.#ctx, this);
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
    if (isDeadline && this.#ctx.err() === undefined && this.#ctx.remaining() <= TIMER_LEAD_MS) {
      // The timer of grpc-js was a moment ahead: wait, so that the call ends with the context's own error.
      this.#endListener?.stop();
      afterFunc(this.#ctx, () => this.#settle(status));
    } else {
      this.#settle(status);
    }
  }

  /** Ends a call that is not sent. */
  #failUnsent(error: unknown): void {
    const { code, details } =
      error instanceof ContextError ? statusOfEnd(error) : { code: CODE.INTERNAL, details: "Not sent" };
    // The deadline timer of grpc-js runs already; this stops it.
    this.#call.cancelWithStatus(code, details);
    if (!(error instanceof ContextError)) throw error;
    const status: StatusWithCause = { code, details, metadata: new Metadata(), cause: error };
    // The caller must get its call object before the call ends.
    process.nextTick(() => this.#listener?.onReceiveStatus?.(status));
  }

  #settle(status: StatusObject): void {
    this.#endListener?.stop();
    const { code, details }: { readonly code: number; readonly details: string } = status;
    const error = this.#errorOf(code, details);
    this.#request.rpc.code = codeName(code);
    this.#outbound!.end(error ?? (code === CODE.OK ? undefined : errorWithCode(code, details)));
    this.#cancel?.();
    this.#listener?.onReceiveStatus?.(error === undefined ? status : ({ ...status, cause: error } as StatusWithCause));
  }

  /**
   * The context error for a status 4 or 1: the error of this call's context if it has ended, else one that stands for
   * the server's status.
   */
  #errorOf(code: number, details: string): ContextError | undefined {
    if (code !== CODE.DEADLINE_EXCEEDED && code !== CODE.CANCELLED) return undefined;
    return this.#ctx.err() ?? errorOfStatus(code, details);
  }
}

function cancel(call: InterceptingCallInterface, { code, details }: CallStatus): void {
  call.cancelWithStatus(code, details);
}
