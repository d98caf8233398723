import { afterFunc, type Context } from "@throughline/context";
import { describeValue, refuseUnknown, wholeNumber } from "@throughline/context/internal";
import { LruMap } from "@throughline/resilience/internal";

import type { IncomingRequest, Outcome } from "../observe/server-request.ts";
import { knownMethod } from "../telemetry/attributes.ts";
import { type Criticality, rank } from "../wire/criticality.ts";
import { ServerOverloaded } from "../wire/errors.ts";
import { type Problem, problemOf } from "./problem.ts";
import { RatioLimiter } from "./ratio-limiter.ts";
import { RouteTimes } from "./route-times.ts";
import type { ServerRequest } from "./server-request.ts";

/** How many requests a server takes on at a time, and what it refuses. */
export interface AdmissionOptions {
  /**
   * How many requests run at a time; others wait for their turn. A request runs until its response is over and its handler is done: its promise
   * has settled. (Of an Express handler that returns none, only the response tells.) @default no limit
   */
  concurrency?: number;
  /**
   * How many requests wait at most. One more is refused (503), or takes the place of one that is less critical. @default as many as
   * may run
   */
  queue?: number;
  /**
   * Refuses what cannot finish: requests with less time left than the handlers of half of all requests to their route take. At most a fifth of
   * the requests of one client address over ten seconds are. Routes are what routers report, or `setRoute`. @default false
   */
  deadlineAware?: boolean;
}

export interface AdmissionSettings {
  readonly concurrency: number;
  readonly queue: number;
  readonly deadlineAware: boolean;
}

const ACTION = "make a request context";

/** @throws TypeError, RangeError if an option is wrong */
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

/** What a request is let do: run, or be answered with a problem, or nothing, as there is nobody to answer. */
export type AdmissionDecision = "run" | "gone" | Problem;

/** One that waits to run. */
interface Waiting {
  readonly ctx: Context;
  /** Of whom it is one: see {@link rank}. */
  readonly rank: number;
  readonly connection: object | undefined;
  /** Whether less time is left than requests like this one take. */
  readonly cannotFinish: () => boolean;
  readonly settle: (turn: AdmissionDecision) => void;
}

/** How much of a caller's requests may be refused for having too little time, so that its wrong clock cannot close a server (as in Finagle). */
const MAX_SHED_RATIO = 0.2;

/** How many callers are told apart. */
const MOST_CALLERS = 1024;

/**
 * Lets a server take on no more than it can do: so many requests run, others wait for their turn, the more critical first. What cannot be
 * kept waiting is refused, the least critical first, before any of it is run. A request whose context ends while it waits never runs.
 */
export class Admission {
  readonly #settings: AdmissionSettings;
  readonly #times = new RouteTimes();
  /** By the address of the caller: what one of them takes is not taken from the others. */
  readonly #hopeless = new LruMap<string | undefined, RatioLimiter>(
    MOST_CALLERS,
    () => new RatioLimiter(MAX_SHED_RATIO),
  );
  /** By criticality, the oldest first. */
  readonly #waiting: readonly Set<Waiting>[] = [new Set(), new Set(), new Set()];
  readonly #running = new Set<ServerRequest>();

  constructor(options: AdmissionOptions) {
    this.#settings = admissionSettings(options);
  }

  /** What is to become of a request: known at once, or when its turn has come. */
  admit(
    serverRequest: ServerRequest,
    ctx: Context,
    request: IncomingRequest,
    criticality: Criticality,
  ): AdmissionDecision | Promise<AdmissionDecision> {
    if (ctx.err() !== undefined) return endOf(ctx);
    // Used again further in, it must not wait for itself.
    if (this.#running.has(serverRequest)) return "run";
    const { deadlineAware, concurrency, queue } = this.#settings;
    const cannotFinish = (): boolean => {
      if (!deadlineAware || ctx.remaining() === Infinity) return false;
      const median = this.#times.median(knownMethod(request.method), request.target);
      return median !== undefined && ctx.remaining() < median && this.#hopeless.get(request.clientAddress).take();
    };
    if (deadlineAware) this.#hopeless.get(request.clientAddress).see();
    if (cannotFinish()) return overloaded("too little time is left for requests like this one");
    if (this.#running.size < concurrency) return this.#run(serverRequest, request);
    const order = this.#order(serverRequest.connection, rank(criticality));
    if (this.#count() >= queue && !this.#shed(order)) return overloaded("too many requests");
    return this.#wait({ ctx, rank: order, connection: serverRequest.connection, cannotFinish }, serverRequest, request);
  }

  #wait(
    waiting: Omit<Waiting, "settle">,
    serverRequest: ServerRequest,
    request: IncomingRequest,
  ): Promise<AdmissionDecision> {
    return new Promise((resolve) => {
      const entry: Waiting = {
        ...waiting,
        settle: (turn) => {
          stop();
          this.#waiting[entry.rank]!.delete(entry);
          resolve(turn === "run" ? this.#run(serverRequest, request) : turn);
        },
      };
      const stop = afterFunc(entry.ctx, () => entry.settle(endOf(entry.ctx)));
      this.#waiting[entry.rank]!.add(entry);
    });
  }

  #run(serverRequest: ServerRequest, request: IncomingRequest): AdmissionDecision {
    if (this.#settings.deadlineAware) this.#learn(serverRequest, request);
    this.#running.add(serverRequest);
    // Not when the response is over: a stranger ends that at will, by leaving or by a short deadline, and the handler runs on.
    serverRequest.onSettled({
      stop: () => {
        this.#running.delete(serverRequest);
        this.#next();
      },
    });
    return "run";
  }

  /** Learns how long the handler takes: without the time that the client takes to send its request, and to take the response. */
  #learn(serverRequest: ServerRequest, request: IncomingRequest): void {
    const from = performance.now();
    serverRequest.observe({
      end: (outcome) => {
        // Only what a router says is learnt: paths are without number, and of strangers.
        if (!isSuccess(outcome) || outcome.route === undefined) return;
        const { receivedAt, handledAt } = serverRequest;
        const took = (handledAt === 0 ? performance.now() : handledAt) - Math.max(from, receivedAt);
        this.#times.add(knownMethod(request.method), outcome.route, Math.max(0, took));
      },
    });
  }

  /** Has those run whose turn it is. */
  #next(): void {
    while (this.#running.size < this.#settings.concurrency) {
      const next = this.#first();
      if (next === undefined) return;
      if (next.ctx.err() !== undefined) next.settle(endOf(next.ctx));
      else if (next.cannotFinish()) next.settle(overloaded("too little time is left for requests like this one"));
      else next.settle("run");
    }
  }

  /** Of the most critical that wait, the one that waits longest. */
  #first(): Waiting | undefined {
    for (const waiting of this.#waiting.toReversed()) for (const first of waiting) return first;
    return undefined;
  }

  /**
   * What a request may be: not before one that came over the same connection, of HTTP/1, and still waits. Its response would wait for the other's,
   * and keep its place while it does.
   */
  #order(connection: object | undefined, own: number): number {
    if (connection === undefined) return own;
    return this.#waiting.findIndex((waiting, order) => order === own || has(waiting, connection));
  }

  /** Makes room for one of this rank, if there is one that matters less: of those the least, and the last to come. */
  #shed(order: number): boolean {
    for (const waiting of this.#waiting.slice(0, order)) {
      let last: Waiting | undefined;
      for (const each of waiting) last = each;
      if (last === undefined) continue;
      last.settle(overloaded("more critical requests have come"));
      return true;
    }
    return false;
  }

  #count(): number {
    let count = 0;
    for (const waiting of this.#waiting) count += waiting.size;
    return count;
  }
}

function has(waiting: ReadonlySet<Waiting>, connection: object): boolean {
  for (const each of waiting) if (each.connection === connection) return true;
  return false;
}

function isSuccess({ isDelivered, status }: Outcome): boolean {
  return isDelivered && (status ?? 0) < 500;
}

/** What is answered to one whose context has ended while it waited. */
function endOf(ctx: Context): AdmissionDecision {
  return problemOf(ctx.err()) ?? "gone";
}

function overloaded(why: string): Problem {
  return problemOf(new ServerOverloaded(`server overloaded: ${why}`))!;
}
