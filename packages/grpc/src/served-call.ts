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

import { CODE, codeName, httpStatusOf } from "./code.ts";
import { GrpcIncoming } from "./grpc-incoming.ts";
import { HandlerWork } from "./handler-work.ts";
import { callBehind, disarm, sessionOf } from "./internals.ts";
import { statusObject } from "./status-of.ts";
import { type CallStatus, callStatusOf, statusOfProblem } from "./status.ts";
import type { HandlerObserver } from "./watched-handlers.ts";

type PartialStatusObject = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];
type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

/** As grpc-js answers for a handler that throws. */
const UNKNOWN: CallStatus = { code: CODE.UNKNOWN, details: "Unknown error", metadata: {} };
const INTERNAL: CallStatus = { code: CODE.INTERNAL, details: "Internal error", metadata: {} };

/**
 * One call on a server of grpc-js, from its metadata to the end of its stream: what the handler sends goes through it, and what the client sends. Both
 * by methods, as an interceptor of closures costs grpc-js several more of its own for each call.
 */
export class ServedCall extends ServerInterceptingCall implements Listener, ActiveResponse, HandlerObserver {
  readonly #receive: Receiver;
  readonly #guards: readonly Guard[];
  readonly #path: string;
  /** Whether the handler gives a stream, not one answer. */
  readonly #isStream: boolean;
  readonly #call: ServerInterceptingCallInterface;
  #listener: Listener | undefined = undefined;
  #serverRequest: ServerRequest | undefined = undefined;
  #incoming: GrpcIncoming | undefined = undefined;
  /** What everything further in runs in; `undefined` until it may run. */
  #ctx: Context | undefined = undefined;
  /** Restores that for each event, which costs a fraction of entering it anew. */
  #scope: AsyncResource | undefined = undefined;
  #isReadWanted = false;
  #status: number | undefined = undefined;
  /** Whether we have answered for the handler, whose answer then counts for nothing. */
  #isAnswered = false;
  #isClosed = false;
  readonly #work = new HandlerWork();
  /** Whether the handler has yet to answer. */
  #isAnswerDue = false;
  #isAsync = false;
  /** The error that the handler has answered with, if that is a context's. */
  #error: ContextError | undefined = undefined;
  /** Counts the messages that came and went. */
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

  /** What is read before the handler may run would reach it before the metadata. */
  override startRead(): void {
    if (this.#ctx === undefined) this.#isReadWanted = true;
    else this.#call.startRead();
  }

  override sendMetadata(metadata: Metadata): void {
    if (this.#isAnswered) return;
    this.isBegun = true;
    this.#call.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    if (!this.#isStream) this.#answerGiven();
    if (this.#isAnswered) return;
    this.isBegun = true;
    this.progress += 1;
    this.#call.sendMessage(message, callback);
  }

  override sendStatus(status: PartialStatusObject): void {
    this.#answerGiven();
    if (!this.#isAnswered) this.#end(this.#explained(status));
  }

  onReceiveMetadata(metadata: Metadata): void {
    if (this.#isClosed) return;
    const incoming = (this.#incoming = new GrpcIncoming(this.#path, metadata, this.#call));
    let received: ReceivedRequest;
    try {
      received = this.#receive(metadata, () => incoming);
    } catch (error) {
      // An option of the application's has thrown. Thrown on, it would end the process at the will of any client.
      process.emitWarning(error instanceof Error ? error : `Cannot receive a call: ${describeValue(error)} was thrown`);
      return this.#answer(INTERNAL);
    }
    const { serverRequest, ctx, decision, isOutermost } = received;
    this.#serverRequest = serverRequest;
    if (isOutermost) {
      serverRequest.response = this;
      const session = sessionOf(this.#call);
      addActiveRequest(serverRequest, session?.socket, session);
    }
    if (hasDeadline(ctx)) disarm(this.#call);
    if (decision instanceof Promise) this.#wait(received, decision, metadata);
    else this.#take(received, decision, metadata);
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
    this.#closed();
    this.#listener!.onCancel();
  }

  #wait(received: ReceivedRequest, decision: Promise<AdmissionDecision>, metadata: Metadata): void {
    void decision.then((settled) => this.#take(received, settled, metadata));
  }

  #take(
    { serverRequest, ctx, isOutermost, settings }: ReceivedRequest,
    decision: AdmissionDecision,
    metadata: Metadata,
  ): void {
    if (decision === "gone") return;
    if (decision !== "run") return this.#answer(statusOfProblem(decision, !isOutermost));
    answerAtDeadline(serverRequest, ctx);
    applyStreamLimits(serverRequest, settings);
    if (this.#guards.length === 0) this.#pass(ctx, metadata);
    else this.#guard(ctx, metadata);
  }

  #guard(ctx: Context, metadata: Metadata): void {
    this.#guarded(ctx).then(
      (within) => this.#pass(within, metadata),
      (error: unknown) => this.#refuse(error),
    );
  }

  async #guarded(ctx: Context): Promise<Context> {
    let within = ctx;
    for (const guard of this.#guards) within = await applyGuard(guard, this.#incoming!.headers, within);
    return within;
  }

  #pass(ctx: Context, metadata: Metadata): void {
    // While a guard took its time, the call may have been answered, or its client have gone.
    if (this.#isAnswered || this.#isClosed) return;
    this.#ctx = ctx;
    runRequest(ctx, ServedCall.#enter, this, metadata);
    if (this.#isReadWanted) this.#call.startRead();
  }

  /** Runs in the context of the call. */
  static #enter(this: void, call: ServedCall, metadata: Metadata): void {
    call.#scope = new AsyncResource("throughline.call", { requireManualDestroy: true });
    call.#listener!.onReceiveMetadata(metadata);
  }

  #refuse(error: unknown): void {
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

  /** Answers for the handler, if it has not. Its error is thrown on, as without us, if it is the application's, and something is left to tell. */
  #rejected(error: unknown): void {
    this.#work.end();
    if (this.#status !== undefined || this.#isClosed) return;
    this.#refuse(error);
    if (callStatusOf(error) === undefined) throw error;
  }

  #answerGiven(): void {
    if (!this.#isAnswerDue) return;
    this.#isAnswerDue = false;
    if (this.#isClosed) abandoned.unregister(this);
    this.#work.end();
  }

  /**
   * Resolves when the handler has settled, which may be long after the call is over; `undefined` if it has, or has not run. The handler of a call with
   * one answer has settled when it has called back and its promise, if it gives one, is settled; of a stream, when that has ended or been destroyed, and
   * likewise. After the end of the call a promise alone counts. Where a callback is never called, it counts when it is collected as garbage.
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
   * A handler that fails for the end of a context says UNKNOWN, as grpc-js does of every error without a code, with the error's own message, which is
   * not for strangers: the context knows better.
   */
  #explained(status: PartialStatusObject): PartialStatusObject {
    const { code }: { readonly code: number } = status;
    const error = code === CODE.UNKNOWN ? (this.#error ?? this.#ctx?.err()) : undefined;
    if (error === undefined) return status;
    this.#serverRequest?.fail(error);
    const explained = statusObject(callStatusOf(error)!);
    if (status.metadata) explained.metadata.merge(status.metadata);
    return explained;
  }

  /** The stream is closed: the status is out, or nobody is there to send it to. */
  #closed(): void {
    this.#isClosed = true;
    // grpc-js destroys the stream of a handler now, and looks at no answer any more.
    if (this.#isStream || this.#isAsync) this.#answerGiven();
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

/** Calls that a handler will never answer, as it has let go of all it could answer by. */
const abandoned = new FinalizationRegistry<HandlerWork>((work) => work.end());

/** The call of ours that a handler serves: of several interceptors' the first, which has the request follow it. */
export function servedBy(handlerCall: object): ServedCall | undefined {
  return callBehind(handlerCall, ServedCall);
}

function receiveMessage(listener: Listener, message: unknown): void {
  listener.onReceiveMessage(message);
}

function receiveHalfClose(listener: Listener): void {
  listener.onReceiveHalfClose();
}
