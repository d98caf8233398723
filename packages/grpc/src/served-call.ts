import {
  type Metadata,
  type Responder,
  type ServerInterceptingCallInterface,
  type ServerListener,
} from "@grpc/grpc-js";
import { carry, type Context, hasDeadline } from "@throughline/context";
import {
  type Acceptor,
  answerAtDeadline,
  type Exchange,
  type ExchangeResponse,
  type Guard,
  joinTraffic,
  leaveTraffic,
  limitStream,
  passGuard,
  problemOf,
  type ServerSettings,
  type Turn,
} from "@throughline/http";

import { CODE, codeName, httpStatusOf } from "./code.ts";
import { GrpcIncoming } from "./grpc-incoming.ts";
import { disarm, sessionOf } from "./internals.ts";
import { statusObject } from "./status-of.ts";
import { type CallStatus, callStatusOf, statusOfEnd, statusOfProblem } from "./status.ts";

type PartialStatusObject = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/** One call on a server of grpc-js, from its metadata to the end of its stream. */
export class ServedCall implements ExchangeResponse {
  readonly #accept: Acceptor;
  readonly #guards: readonly Guard[];
  readonly #path: string;
  readonly #call: ServerInterceptingCallInterface;
  #exchange: Exchange | undefined;
  #incoming: GrpcIncoming | undefined;
  /** What everything further in runs in. */
  #ctx: Context | undefined;
  #status: number | undefined;
  /** Whether we have answered for the handler, whose answer then counts for nothing. */
  #isAnswered = false;
  #isClosed = false;
  /** Counts the messages that came and went. */
  progress = 0;
  isBegun = false;

  constructor(accept: Acceptor, guards: readonly Guard[], path: string, call: ServerInterceptingCallInterface) {
    this.#accept = accept;
    this.#guards = guards;
    this.#path = path;
    this.#call = call;
  }

  /** What it does with what is sent. */
  responder(): Responder {
    return {
      start: (next) => next(this.#listener()),
      sendMetadata: (metadata, next) => {
        if (this.#isAnswered) return;
        this.isBegun = true;
        next(metadata);
      },
      sendMessage: (message, next) => {
        if (this.#isAnswered) return;
        this.progress += 1;
        next(message);
      },
      sendStatus: (status, next) => {
        if (!this.#isAnswered) this.#end(this.#explained(status), next);
      },
    };
  }

  /** What it does with what comes. */
  #listener(): ServerListener {
    return {
      onReceiveMetadata: (metadata, next) => this.#receive(metadata, next),
      onReceiveMessage: (message, next) => {
        this.progress += 1;
        this.#inContext(next, message);
      },
      onReceiveHalfClose: (next) => this.#inContext(next),
      onCancel: () => this.#closed(),
    };
  }

  #receive(metadata: Metadata, next: (metadata: Metadata) => void): void {
    const incoming = (this.#incoming = new GrpcIncoming(this.#path, metadata, this.#call));
    const { exchange, ctx, turn, isFirst, settings } = this.#accept(metadata, () => incoming);
    this.#exchange = exchange;
    if (isFirst) {
      exchange.response = this;
      const session = sessionOf(this.#call);
      joinTraffic(exchange, session?.socket, session);
    }
    if (hasDeadline(ctx)) disarm(this.#call);
    const take = (settled: Turn): void => {
      if (settled === "gone") return;
      if (settled !== "run") return this.#answer(statusOfProblem(settled, !isFirst));
      this.#run(exchange, ctx, settings, metadata, next);
    };
    if (turn instanceof Promise) void turn.then(take);
    else take(turn);
  }

  #run(
    exchange: Exchange,
    ctx: Context,
    settings: ServerSettings,
    metadata: Metadata,
    next: (metadata: Metadata) => void,
  ): void {
    answerAtDeadline(exchange, ctx);
    limitStream(exchange, settings);
    const go = (within: Context): void => {
      // While a guard took its time, the call may have been answered, or its client have gone.
      if (this.#isAnswered || this.#isClosed) return;
      this.#ctx = within;
      this.#inContext(next, metadata);
    };
    if (this.#guards.length === 0) go(ctx);
    else this.#guarded(ctx).then(go, (error: unknown) => this.#refuse(error));
  }

  async #guarded(ctx: Context): Promise<Context> {
    let within = ctx;
    for (const guard of this.#guards) within = await passGuard(guard, this.#incoming!.headers, within);
    return within;
  }

  #refuse(error: unknown): void {
    this.#exchange!.fail(error);
    this.#answer(callStatusOf(error) ?? { code: CODE.UNKNOWN, details: "Unknown error", metadata: {} });
  }

  #inContext<Args extends unknown[]>(next: (...args: Args) => void, ...args: Args): void {
    if (this.#ctx === undefined) next(...args);
    else carry(this.#ctx, next, ...args);
  }

  answerFor(error: unknown, exchange: Exchange): void {
    const problem = problemOf(error);
    if (problem === undefined || this.#status !== undefined) return;
    exchange.fail(error);
    this.#answer(statusOfProblem(problem, true, error));
  }

  #answer(answer: CallStatus): void {
    if (this.#status !== undefined || this.#isClosed) return;
    this.#end(statusObject(answer), (status) => this.#call.sendStatus(status));
    this.#isAnswered = true;
  }

  #end(status: PartialStatusObject, send: (status: PartialStatusObject) => void): void {
    this.#status ??= status.code;
    if (this.#incoming !== undefined) this.#incoming.rpc.code = codeName(status.code);
    send(status);
  }

  /** A handler that fails for the end of its context says UNKNOWN, as grpc-js does of every error without a code: the context knows better. */
  #explained(status: PartialStatusObject): PartialStatusObject {
    const { code }: { readonly code: number } = status;
    const error = code === CODE.UNKNOWN ? this.#ctx?.err() : undefined;
    return error === undefined ? status : { ...statusOfEnd(error), metadata: status.metadata ?? null };
  }

  /** The stream is closed: the status is out, or nobody is there to send it to. */
  #closed(): void {
    this.#isClosed = true;
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    leaveTraffic(exchange);
    const status = this.#status;
    if (status === undefined && this.#incoming !== undefined) this.#incoming.rpc.code = "CANCELLED";
    exchange.end({
      isDelivered: status !== undefined,
      status: status === undefined ? undefined : httpStatusOf(status),
    });
  }
}
