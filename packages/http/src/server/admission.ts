import { afterFunc, type Context } from "@throughline/context";
import { describeValue, now, refuseUnknown, wholeNumber } from "@throughline/context/internal";
import { type Criticality, LruMap, rank, WaitingLine } from "@throughline/resilience/internal";

import type { IncomingRequest, Outcome } from "../observe/server-request.ts";
import { knownMethod } from "../telemetry/attributes.ts";
import { ServerOverloaded } from "../wire/errors.ts";
import { AdaptiveLimit } from "./adaptive-limit.ts";
import { EventLoopLag } from "./event-loop-lag.ts";
import { type Problem, problemOf } from "./problem.ts";
import { RatioLimiter } from "./ratio-limiter.ts";
import { RouteTimes } from "./route-times.ts";
import type { ServerRequest } from "./server-request.ts";

/** Limits how many requests a server runs and queues. A rejected request is answered 503 before its handler starts. */
export interface AdmissionOptions {
  /**
   * The number of requests that run at the same time; further requests wait in a queue. A request counts as running
   * until its response has ended and the promise of its handler has settled. (An Express handler that returns no
   * promise counts until its response has ended.)
   *
   * `"adaptive"` sets the limit by itself. There is none until more than a twentieth of the requests are too late (their
   * client has left, or their deadline has passed) and requests take more than twice their usual time. The limit then
   * keeps them at twice the usual time. It also rejects a share of the requests while the event loop is more than
   * 40 ms late. @default no limit
   */
  concurrency?: number | "adaptive";
  /**
   * The largest number of requests that wait. When the queue is full, a new request replaces a less critical one, or is
   * rejected (503). After a request that waited was too late, the newest request runs first and the oldest is rejected,
   * until the queue is empty, because all earlier requests would be too late as well.
   * @default as many as run
   */
  queue?: number;
  /**
   * Whether to reject requests that have less time left than the median time of the handlers of their route. It rejects
   * at most a fifth of the requests of one client address within ten seconds. Routes come from the router, or from
   * `setRoute`. @default false
   */
  deadlineAware?: boolean;
}

interface AdmissionSettings {
  readonly concurrency: number | "adaptive";
  /** `undefined`: as many as may run. */
  readonly queue: number | undefined;
  readonly deadlineAware: boolean;
}

const ACTION = "make a request context";

/** @throws TypeError, RangeError if an option is invalid */
function admissionSettings(options: AdmissionOptions | "adaptive"): AdmissionSettings {
  if (options === "adaptive") return { concurrency: "adaptive", queue: undefined, deadlineAware: false };
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot ${ACTION}: 'admission' must be "adaptive" or an object, such as { concurrency: 100 }; ` +
        `received ${describeValue(options)}`,
    );
  }
  const { concurrency = Infinity, queue, deadlineAware = false, ...others } = options;
  refuseUnknown(others, ACTION);
  if (concurrency !== "adaptive") wholeNumber("concurrency", concurrency, 1, ACTION);
  if (queue !== undefined) wholeNumber("queue", queue, 0, ACTION);
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
  /** The request before it on its HTTP/1 connection, whose response must come first. */
  readonly earlier: QueuedRequest | undefined;
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
  readonly #adaptive: AdaptiveLimit | undefined;
  readonly #lag: EventLoopLag | undefined;
  readonly #times = new RouteTimes();
  /** By client address, so that one client cannot use up the rejections of another. */
  readonly #rejections = new LruMap<string | undefined, RatioLimiter>(
    MAX_CLIENTS,
    () => new RatioLimiter(MAX_REJECT_RATIO),
  );
  /** One queue for each criticality, the least critical first. */
  readonly #queues: readonly WaitingLine<QueuedRequest>[] = [new WaitingLine(), new WaitingLine(), new WaitingLine()];
  /** The latest queued request of each HTTP/1 connection. */
  readonly #latest = new WeakMap<object, QueuedRequest>();
  readonly #running = new Set<ServerRequest>();

  constructor(options: AdmissionOptions | "adaptive") {
    this.#settings = admissionSettings(options);
    if (this.#settings.concurrency !== "adaptive") return;
    this.#adaptive = new AdaptiveLimit();
    this.#lag = new EventLoopLag();
  }

  /** The number of requests that may run. */
  get #concurrency(): number {
    const { concurrency } = this.#settings;
    return concurrency === "adaptive" ? this.#adaptive!.value : concurrency;
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
    const { deadlineAware, queue } = this.#settings;
    const cannotFinish = (): boolean => {
      if (!deadlineAware || ctx.remaining() === Infinity) return false;
      const median = this.#times.median(knownMethod(request.method), request.target);
      return median !== undefined && ctx.remaining() < median && this.#rejections.get(request.clientAddress).tryTake();
    };
    if (deadlineAware) this.#rejections.get(request.clientAddress).record();
    if (cannotFinish()) return overloaded(TOO_LITTLE_TIME);
    if (this.#lag?.rejects(criticality) === true) return overloaded("the event loop is late");
    const concurrency = this.#concurrency;
    if (this.#running.size < concurrency) return this.#run(serverRequest, request);
    this.#adaptive?.waited();
    const earlier = this.#earlier(serverRequest.connection);
    const queueRank = Math.min(rank(criticality), earlier?.rank ?? Infinity);
    if (this.#queued() >= (queue ?? concurrency) && !this.#evictFor(queueRank)) return overloaded("too many requests");
    return this.#enqueue({ ctx, rank: queueRank, earlier, cannotFinish }, serverRequest, request);
  }

  #enqueue(
    queued: Omit<QueuedRequest, "settle">,
    serverRequest: ServerRequest,
    request: IncomingRequest,
  ): Promise<AdmissionDecision> {
    const line = this.#queues[queued.rank]!;
    return new Promise((resolve) => {
      const entry: QueuedRequest = {
        ...queued,
        settle: (decision) => {
          stop();
          line.delete(entry);
          if (decision === "run") reportLate(serverRequest, line);
          resolve(decision === "run" ? this.#run(serverRequest, request) : decision);
        },
      };
      const stop = afterFunc(entry.ctx, () => entry.settle(decisionAfterEnd(entry.ctx)));
      line.add(entry);
      if (serverRequest.connection !== undefined) this.#latest.set(serverRequest.connection, entry);
    });
  }

  #run(serverRequest: ServerRequest, request: IncomingRequest): AdmissionDecision {
    if (this.#settings.deadlineAware || this.#adaptive !== undefined) this.#recordTime(serverRequest, request);
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
    const step = this.#adaptive?.step ?? 0;
    serverRequest.observe({
      end: (outcome) => {
        const { receivedAt, handledAt } = serverRequest;
        const took = Math.max(0, (handledAt === 0 ? now() : handledAt) - Math.max(from, receivedAt));
        const { route } = outcome;
        const isLate = outcome.endedBy === "deadline" || outcome.endedBy === "client";
        const method = knownMethod(request.method);
        if (isLate || isSuccess(outcome)) {
          this.#adaptive?.ran({ route: `${method} ${route ?? ""}`, took, isLate, step }, this.#running.size);
        }
        // Only routes that a router reports are recorded. Clients choose paths, and there is no limit to how many they
        // choose.
        if (isSuccess(outcome) && route !== undefined) this.#times.add(method, route, took);
      },
    });
  }

  /** Runs queued requests while there is capacity. */
  #runQueued(): void {
    while (this.#running.size < this.#concurrency) {
      const next = this.#nextQueued();
      if (next === undefined) return;
      if (next.ctx.err() !== undefined) next.settle(decisionAfterEnd(next.ctx));
      else if (next.cannotFinish()) next.settle(overloaded(TOO_LITTLE_TIME));
      else next.settle("run");
    }
  }

  /** The next of the most critical queued requests. */
  #nextQueued(): QueuedRequest | undefined {
    for (const line of this.#queues.toReversed()) {
      let next = line.next(() => undefined);
      while (next?.earlier !== undefined && line.has(next.earlier)) next = next.earlier;
      if (next !== undefined) return next;
    }
    return undefined;
  }

  /**
   * The queued request before this one on its HTTP/1 connection. It is not overtaken: the response to the later one
   * would have to wait for its response, and would count as running all that time.
   */
  #earlier(connection: object | undefined): QueuedRequest | undefined {
    const latest = connection === undefined ? undefined : this.#latest.get(connection);
    return latest !== undefined && this.#queues[latest.rank]!.has(latest) ? latest : undefined;
  }

  /** Rejects a queued request to make room for one of this rank. Returns whether it did. */
  #evictFor(rank: number): boolean {
    for (const line of this.#queues.slice(0, rank)) {
      const evicted = line.isTooLong ? line.oldest : line.newest;
      evicted?.settle(overloaded("more critical requests have come"));
      if (evicted !== undefined) return true;
    }
    const own = this.#queues[rank]!;
    if (!own.isTooLong) return false;
    own.oldest!.settle(overloaded("too many requests"));
    return true;
  }

  #queued(): number {
    let count = 0;
    for (const line of this.#queues) count += line.size;
    return count;
  }
}

/** Tells the queue if a request that has waited there is answered too late. */
function reportLate(serverRequest: ServerRequest, line: WaitingLine<QueuedRequest>): void {
  serverRequest.observe({
    end: ({ endedBy }) => {
      if (endedBy === "deadline" || endedBy === "client") line.tooLate();
    },
  });
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
