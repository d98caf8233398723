import { AsyncResource } from "node:async_hooks";

import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { type Context, ContextError } from "@throughline/context";
import { runRequest, describeValue, hasDeadline } from "@throughline/context/internal";
import { type Guard } from "@throughline/http";
import {
  type ReceivedRequest,
  type Receiver,
  answerAtDeadline,
  type ServerRequest,
  type ActiveResponse,
  addActiveRequest,
  applyStreamLimits,
  applyGuard,
  problemOf,
  type AdmissionDecision,
} from "@throughline/http/adapter";

import { GrpcIncoming } from "./grpc-incoming.ts";
import { clearDeadlineTimer, interceptorCallOf, sessionOf } from "./grpc-js-internals.ts";
import type { HandlerObserver } from "./handler-observer.ts";
import { HandlerWork } from "./handler-work.ts";
import { statusObject } from "./status-object.ts";
import { type CallStatus, callStatusOf, CODE, codeName, httpStatusOf, statusOfProblem } from "./status.ts";

type PartialStatusObject = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];
type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

/** The status that grpc-js sends for a handler that throws. */
const UNKNOWN: CallStatus = { code: CODE.UNKNOWN, details: "Unknown error", metadata: {} };
const INTERNAL: CallStatus = { code: CODE.INTERNAL, details: "Internal error", metadata: {} };

/**
 * One call on a server of grpc-js, from its metadata to the end of its stream. It intercepts both directions with
 * methods: an interceptor that consists of closures makes grpc-js allocate several more for each call.
 */
export class ServerCall extends ServerInterceptingCall implements Listener, ActiveResponse, HandlerObserver {
  readonly #receive: Receiver;
  readonly #guards: readonly Guard[];
  readonly #path: string;
  /** Whether the handler sends a stream of messages, not one. */
  readonly #isStream: boolean;
  readonly #call: ServerInterceptingCallInterface;
  #listener: Listener | undefined = undefined;
  #serverRequest: ServerRequest | undefined = undefined;
  #incoming: GrpcIncoming | undefined = undefined;
  /** The context that the handler runs in; `undefined` until it may run. */
  #ctx: Context | undefined = undefined;
  /** Restores the context for each event, at a fraction of the cost of entering it again. */
  #scope: AsyncResource | undefined = undefined;
  #isReadPending = false;
  #status: number | undefined = undefined;
  /** Whether the call was answered in place of the handler. What the handler sends after that is dropped. */
  #isAnswered = false;
  #isClosed = false;
  readonly #work = new HandlerWork();
  /** Whether the handler runs and has not answered. */
  #isAnswerDue = false;
  #isAsync = false;
  /** The error that the handler answered with, if it is the error of a context. */
  #error: ContextError | undefined = undefined;
  /** The number of messages received and sent. */
  progress = 0;
  isBegun = false;

  constructor(
    receive: Receiver,
    guards: readonly Guard[],
    { path, responseStream }: { readonly path: string; readonly responseStream: boolean },
    call: ServerInterceptingCallInterface,
  ) {
    super(call);
    this.#receive = receive;
    this.#guards = guards;
    this.#path = path;
    this.#isStream = responseStream;
    this.#call = call;
  }

  override start(listener: Listener): void {
    this.#listener = listener;
    this.#call.start(this);
  }

  /** A message that is read before the handler may run would reach the handler before the metadata. */
  override startRead(): void {
    if (this.#ctx === undefined) this.#isReadPending = true;
    else this.#call.startRead();
  }

  override sendMetadata(metadata: Metadata): void {
    if (this.#isAnswered) return;
    this.isBegun = true;
    this.#call.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    if (!this.#isStream) this.#handlerAnswered();
    if (this.#isAnswered) return;
    this.isBegun = true;
    this.progress += 1;
    this.#call.sendMessage(message, callback);
  }

  override sendStatus(status: PartialStatusObject): void {
    this.#handlerAnswered();
    if (!this.#isAnswered) this.#end(this.#statusToSend(status));
  }

  onReceiveMetadata(metadata: Metadata): void {
    if (this.#isClosed) return;
    const incoming = (this.#incoming = new GrpcIncoming(this.#path, metadata, this.#call));
    let received: ReceivedRequest;
    try {
      received = this.#receive(metadata, () => incoming);
    } catch (error) {
      // A function among the options threw. Rethrown, the error would let any client end the process.
      process.emitWarning(
        error instanceof Error ? error : `Cannot receive a call: an option threw ${describeValue(error)}`,
      );
      return this.#answer(INTERNAL);
    }
    const { serverRequest, ctx, decision, isOutermost } = received;
    this.#serverRequest = serverRequest;
    if (isOutermost) {
      serverRequest.response = this;
      const session = sessionOf(this.#call);
      addActiveRequest(serverRequest, session?.socket, session);
    }
    if (hasDeadline(ctx)) clearDeadlineTimer(this.#call);
    if (decision instanceof Promise) this.#wait(received, decision, metadata);
    else this.#proceed(received, decision, metadata);
  }

  onReceiveMessage(message: unknown): void {
    if (this.#isClosed) return;
    this.progress += 1;
    this.#scope!.runInAsyncScope(receiveMessage, undefined, this.#listener!, message);
  }

  onReceiveHalfClose(): void {
    if (this.#isClosed) return;
    this.#scope!.runInAsyncScope(receiveHalfClose, undefined, this.#listener!);
  }

  onCancel(): void {
    this.#streamClosed();
    this.#listener!.onCancel();
  }

  #wait(received: ReceivedRequest, decision: Promise<AdmissionDecision>, metadata: Metadata): void {
    void decision.then((settled) => this.#proceed(received, settled, metadata));
  }

  #proceed(
    { serverRequest, ctx, isOutermost, settings }: ReceivedRequest,
    decision: AdmissionDecision,
    metadata: Metadata,
  ): void {
    if (decision === "gone") return;
    if (decision !== "run") return this.#answer(statusOfProblem(decision, !isOutermost));
    answerAtDeadline(serverRequest, ctx);
    applyStreamLimits(serverRequest, settings);
    if (this.#guards.length === 0) this.#runHandler(ctx, metadata);
    else this.#guardAndRun(ctx, metadata);
  }

  #guardAndRun(ctx: Context, metadata: Metadata): void {
    this.#applyGuards(ctx).then(
      (within) => this.#runHandler(within, metadata),
      (error: unknown) => this.#answerError(error),
    );
  }

  async #applyGuards(ctx: Context): Promise<Context> {
    let within = ctx;
    for (const guard of this.#guards) within = await applyGuard(guard, this.#incoming!.headers, within);
    return within;
  }

  #runHandler(ctx: Context, metadata: Metadata): void {
    // While a guard was pending, the call may have been answered, or the client may have disconnected.
    if (this.#isAnswered || this.#isClosed) return;
    this.#ctx = ctx;
    runRequest(ctx, ServerCall.#enterContext, this, metadata);
    if (this.#isReadPending) this.#call.startRead();
  }

  /** Runs in the context of the call. */
  static #enterContext(this: void, call: ServerCall, metadata: Metadata): void {
    call.#scope = new AsyncResource("throughline.call", { requireManualDestroy: true });
    call.#listener!.onReceiveMetadata(metadata);
  }

  #answerError(error: unknown): void {
    this.#serverRequest!.fail(error);
    this.#answer(callStatusOf(error) ?? UNKNOWN);
  }

  begun(): void {
    this.#isAnswerDue = true;
    this.#work.begin();
  }

  failed(error: unknown): void {
    if (error instanceof ContextError) this.#error ??= error;
  }

  returned(value: unknown): void {
    if (!(value instanceof Promise)) return;
    this.#isAsync = true;
    this.#work.begin();
    value.then(
      () => this.#work.end(),
      (error: unknown) => this.#rejected(error),
    );
  }

  /**
   * Answers in place of the handler if it has not answered. An error of the application is rethrown then, as without
   * this interceptor.
   */
  #rejected(error: unknown): void {
    this.#work.end();
    if (this.#status !== undefined || this.#isClosed) return;
    this.#answerError(error);
    if (callStatusOf(error) === undefined) throw error;
  }

  #handlerAnswered(): void {
    if (!this.#isAnswerDue) return;
    this.#isAnswerDue = false;
    if (this.#isClosed) abandoned.unregister(this);
    this.#work.end();
  }

  /**
   * Resolves when the handler has settled, which may be long after the call is over; `undefined` if it has settled or
   * has not run. A handler that sends one message settles with its callback and its promise, if it returns one; a
   * handler that streams, with the end or destruction of the stream and its promise. After the end of a call only the
   * promise counts. A callback that is never called counts as called when it is garbage collected.
   */
  onceHandled(): Promise<void> | undefined {
    if (this.#isClosed && this.#isAnswerDue) abandoned.register(this, this.#work, this);
    return this.#work.settled();
  }

  forceAnswer(error: unknown, serverRequest: ServerRequest): void {
    const problem = problemOf(error);
    if (problem === undefined || this.#status !== undefined) return;
    serverRequest.fail(error);
    this.#answer(statusOfProblem(problem, true, error));
  }

  #answer(answer: CallStatus): void {
    if (this.#status !== undefined || this.#isClosed) return;
    this.#end(statusObject(answer));
    this.#isAnswered = true;
  }

  #end(status: PartialStatusObject): void {
    this.#status ??= status.code;
    if (this.#incoming !== undefined) this.#incoming.rpc.code = codeName(status.code);
    this.#call.sendStatus(status);
  }

  /**
   * Replaces the status of a handler that failed because a context ended. For an error without a code grpc-js sends
   * UNKNOWN with the error's message, which may be internal.
   */
  #statusToSend(status: PartialStatusObject): PartialStatusObject {
    const { code }: { readonly code: number } = status;
    const error = code === CODE.UNKNOWN ? (this.#error ?? this.#ctx?.err()) : undefined;
    if (error === undefined) return status;
    this.#serverRequest?.fail(error);
    const known = statusObject(callStatusOf(error)!);
    if (status.metadata) known.metadata.merge(status.metadata);
    return known;
  }

  /** The stream is closed: the status was sent, or the client disconnected. */
  #streamClosed(): void {
    this.#isClosed = true;
    // grpc-js destroys the stream of the handler now, and ignores any answer.
    if (this.#isStream || this.#isAsync) this.#handlerAnswered();
    const serverRequest = this.#serverRequest;
    if (serverRequest === undefined) return;
    serverRequest.active?.remove(serverRequest);
    const status = this.#status;
    if (status === undefined && this.#incoming !== undefined) this.#incoming.rpc.code = "CANCELLED";
    const handled = serverRequest.isTracked ? this.onceHandled() : undefined;
    if (handled !== undefined) serverRequest.track(handled);
    serverRequest.end({
      isDelivered: status !== undefined,
      status: status === undefined ? undefined : httpStatusOf(status),
    });
  }
}

/** Ends the work of handlers whose callback was garbage collected: they can never answer. */
const abandoned = new FinalizationRegistry<HandlerWork>((work) => work.end());

/**
 * The ServerCall behind a handler's call. If there are several interceptors, it is the outermost, which observes the
 * request.
 */
export function serverCallOf(handlerCall: object): ServerCall | undefined {
  return interceptorCallOf(handlerCall, ServerCall);
}

function receiveMessage(listener: Listener, message: unknown): void {
  listener.onReceiveMessage(message);
}

function receiveHalfClose(listener: Listener): void {
  listener.onReceiveHalfClose();
}
