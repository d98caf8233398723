import { afterFunc, type Context } from "@throughline/context";
import { describeValue, now, refuseUnknown, wholeNumber } from "@throughline/context/internal";
import { LruMap } from "@throughline/resilience/internal";

import type { IncomingRequest, Outcome } from "../observe/server-request.ts";
import { knownMethod } from "../telemetry/attributes.ts";
import { type Criticality, rank } from "../wire/criticality.ts";
import { ServerOverloaded } from "../wire/errors.ts";
import { type Problem, problemOf } from "./problem.ts";
import { RatioLimiter } from "./ratio-limiter.ts";
import { RouteTimes } from "./route-times.ts";
import type { ServerRequest } from "./server-request.ts";

/** Limits how many requests a server runs and queues. A rejected request is answered 503 before its handler starts. */
export interface AdmissionOptions {
  /**
   * The number of requests that run at the same time; further requests wait in a queue. A request counts as running
   * until its response has ended and the promise of its handler has settled. (An Express handler that returns no
   * promise counts until its response has ended.) @default no limit
   */
  concurrency?: number;
  /**
   * The largest number of requests that wait. When the queue is full, a new request replaces a less critical one, or is
   * rejected (503).
   * @default `concurrency`
   */
  queue?: number;
  /**
   * Whether to reject requests that have less time left than the median time of the handlers of their route. It rejects
   * at most a fifth of the requests of one client address within ten seconds. Routes come from the router, or from
   * `setRoute`. @default false
   */
  deadlineAware?: boolean;
}

export interface AdmissionSettings {
  readonly concurrency: number;
  readonly queue: number;
  readonly deadlineAware: boolean;
}

const ACTION = "make a request context";

/** @throws TypeError, RangeError if an option is invalid */
export function admissionSettings(options: AdmissionOptions): AdmissionSettings {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot ${ACTION}: 'admission' must be an object, such as { concurrency: 100 }; received ${describeValue(options)}`,
    );
  }
  const { concurrency = Infinity, queue = concurrency, deadlineAware = false, ...others } = options;
  refuseUnknown(others, ACTION);
  wholeNumber("concurrency", concurrency, 1, ACTION);
  wholeNumber("queue", queue, 0, ACTION);
  if (typeof deadlineAware !== "boolean") {
    throw new TypeError(
      `Cannot ${ACTION}: 'deadlineAware' must be true or false; received ${describeValue(deadlineAware)}`,
    );
  }
  return { concurrency, queue, deadlineAware };
}

/**
 * What happens to a request: it runs, it is answered with a problem, or it is dropped because its client has left
 * ("gone").
 */
export type AdmissionDecision = "run" | "gone" | Problem;

/** A request in the admission queue. */
interface QueuedRequest {
  readonly ctx: Context;
  /** The queue that it waits in: the {@link rank} of its criticality, or a lower one. */
  readonly rank: number;
  readonly connection: object | undefined;
  /** Whether less time is left than handlers of its route usually take. */
  readonly cannotFinish: () => boolean;
  readonly settle: (decision: AdmissionDecision) => void;
}

/**
 * The largest part of a client's requests that is rejected because too little time is left. A client with a wrong clock
 * can therefore not block itself completely (Finagle limits its deadline rejections the same way).
 */
const MAX_REJECT_RATIO = 0.2;

/** The number of client addresses that are counted separately. */
const MAX_CLIENTS = 1024;

/**
 * Admission control: it limits how many requests run, and queues the others by criticality. When the queue is full it
 * rejects the least critical request. A request whose context ends while it waits never runs.
 */
export class Admission {
  readonly #settings: AdmissionSettings;
  readonly #times = new RouteTimes();
  /** By client address, so that one client cannot use up the rejections of another. */
  readonly #rejections = new LruMap<string | undefined, RatioLimiter>(
    MAX_CLIENTS,
    () => new RatioLimiter(MAX_REJECT_RATIO),
  );
  /** One queue for each criticality, the oldest request first. */
  readonly #queues: readonly Set<QueuedRequest>[] = [new Set(), new Set(), new Set()];
  readonly #running = new Set<ServerRequest>();

  constructor(options: AdmissionOptions) {
    this.#settings = admissionSettings(options);
  }

  /** Decides at once, or returns a promise while the request waits in the queue. */
  admit(
    serverRequest: ServerRequest,
    ctx: Context,
    request: IncomingRequest,
    criticality: Criticality,
  ): AdmissionDecision | Promise<AdmissionDecision> {
    if (ctx.err() !== undefined) return decisionAfterEnd(ctx);
    // A nested middleware with the same admission options must not queue a request behind itself.
    if (this.#running.has(serverRequest)) return "run";
    const { deadlineAware, concurrency, queue } = this.#settings;
    const cannotFinish = (): boolean => {
      if (!deadlineAware || ctx.remaining() === Infinity) return false;
      const median = this.#times.median(knownMethod(request.method), request.target);
      return median !== undefined && ctx.remaining() < median && this.#rejections.get(request.clientAddress).tryTake();
    };
    if (deadlineAware) this.#rejections.get(request.clientAddress).record();
    if (cannotFinish()) return overloaded(TOO_LITTLE_TIME);
    if (this.#running.size < concurrency) return this.#run(serverRequest, request);
    const { connection } = serverRequest;
    const queueRank = this.#queueRank(connection, rank(criticality));
    if (this.#queued() >= queue && !this.#evictBelow(queueRank)) return overloaded("too many requests");
    return this.#enqueue({ ctx, rank: queueRank, connection, cannotFinish }, serverRequest, request);
  }

  #enqueue(
    queued: Omit<QueuedRequest, "settle">,
    serverRequest: ServerRequest,
    request: IncomingRequest,
  ): Promise<AdmissionDecision> {
    return new Promise((resolve) => {
      const entry: QueuedRequest = {
        ...queued,
        settle: (decision) => {
          stop();
          this.#queues[entry.rank]!.delete(entry);
          resolve(decision === "run" ? this.#run(serverRequest, request) : decision);
        },
      };
      const stop = afterFunc(entry.ctx, () => entry.settle(decisionAfterEnd(entry.ctx)));
      this.#queues[entry.rank]!.add(entry);
    });
  }

  #run(serverRequest: ServerRequest, request: IncomingRequest): AdmissionDecision {
    if (this.#settings.deadlineAware) this.#recordTime(serverRequest, request);
    this.#running.add(serverRequest);
    // Not when the response ends: a client can end it at any time, by leaving or by a short deadline, while the handler
    // runs on.
    serverRequest.addSettledCleanup({
      stop: () => {
        this.#running.delete(serverRequest);
        this.#runQueued();
      },
    });
    return "run";
  }

  /**
   * Records how long the handler takes, without the time in which the client sends its request and receives the
   * response.
   */
  #recordTime(serverRequest: ServerRequest, request: IncomingRequest): void {
    const from = now();
    serverRequest.observe({
      end: (outcome) => {
        // Only routes that a router reports are recorded. Clients choose paths, and there is no limit to how many they
        // choose.
        if (!isSuccess(outcome) || outcome.route === undefined) return;
        const { receivedAt, handledAt } = serverRequest;
        const took = (handledAt === 0 ? now() : handledAt) - Math.max(from, receivedAt);
        this.#times.add(knownMethod(request.method), outcome.route, Math.max(0, took));
      },
    });
  }

  /** Runs queued requests while there is capacity. */
  #runQueued(): void {
    while (this.#running.size < this.#settings.concurrency) {
      const next = this.#nextQueued();
      if (next === undefined) return;
      if (next.ctx.err() !== undefined) next.settle(decisionAfterEnd(next.ctx));
      else if (next.cannotFinish()) next.settle(overloaded(TOO_LITTLE_TIME));
      else next.settle("run");
    }
  }

  /** The oldest of the most critical queued requests. */
  #nextQueued(): QueuedRequest | undefined {
    for (const queue of this.#queues.toReversed()) for (const first of queue) return first;
    return undefined;
  }

  /**
   * The queue for a request. A request does not overtake an earlier one of the same HTTP/1 connection: its response
   * would have to wait for the earlier response, and it would count as running all that time.
   */
  #queueRank(connection: object | undefined, own: number): number {
    if (connection === undefined) return own;
    return this.#queues.findIndex((queue, each) => each === own || hasConnection(queue, connection));
  }

  /** Rejects the newest of the least critical queued requests, if one is below this rank. Returns whether it did. */
  #evictBelow(rank: number): boolean {
    for (const queue of this.#queues.slice(0, rank)) {
      let newest: QueuedRequest | undefined;
      for (const each of queue) newest = each;
      if (newest === undefined) continue;
      newest.settle(overloaded("more critical requests have come"));
      return true;
    }
    return false;
  }

  #queued(): number {
    let count = 0;
    for (const queue of this.#queues) count += queue.size;
    return count;
  }
}

function hasConnection(queue: ReadonlySet<QueuedRequest>, connection: object): boolean {
  for (const each of queue) if (each.connection === connection) return true;
  return false;
}

function isSuccess({ isDelivered, status }: Outcome): boolean {
  return isDelivered && (status ?? 0) < 500;
}

/** The decision for a request whose context ended while it waited. */
function decisionAfterEnd(ctx: Context): AdmissionDecision {
  return problemOf(ctx.err()) ?? "gone";
}

const TOO_LITTLE_TIME = "too little time is left for requests like this one";

function overloaded(reason: string): Problem {
  return problemOf(new ServerOverloaded(`server overloaded: ${reason}`))!;
}
