import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

import {
  connectTimeout,
  contextTtl,
  envoyExpectedTimeout,
  grpcTimeout,
  requestTimeout,
  requestTimeoutMs,
  serverTimeout,
} from "@throughline/http";

/** All headers that can carry a deadline: an observer may read more of them than a server does by default. */
const DIALECTS = [
  grpcTimeout,
  connectTimeout,
  envoyExpectedTimeout,
  contextTtl,
  requestTimeoutMs,
  serverTimeout,
  requestTimeout,
];

/** A call to another service that a request has started. */
export interface ObservedCall {
  readonly target: string;
  readonly startedAt: number;
  endedAt: number | undefined;
}

/** Why a request would have been ended early. */
export type Cut = "deadline" | "disconnect";

/** One request, from its arrival to the end of its handler. Times are those of `performance.now()`. */
export class ObservedRequest {
  readonly #req: IncomingMessage;
  readonly #arrivedAt = performance.now();
  readonly #deadlineAt: number;
  /** What set the deadline, or `undefined` without one. */
  readonly setBy: string | undefined;
  readonly #calls: ObservedCall[] = [];
  #leftAt: number | undefined;
  #endedAt: number | undefined;

  /** @param limit the timeout to assume for a request, in milliseconds */
  constructor(req: IncomingMessage, limit: number | undefined) {
    this.#req = req;
    const { ms, setBy } = deadlineOf(req.headers, limit);
    this.#deadlineAt = this.#arrivedAt + ms;
    this.setBy = setBy;
  }

  /** The route that Express matched, or the path without what looks like an id. */
  get route(): string {
    const { method, originalUrl, url, baseUrl, route } = this.#req as IncomingMessage & {
      originalUrl?: string;
      baseUrl?: string;
      route?: { path?: unknown };
    };
    if (typeof route?.path === "string") return `${method} ${baseUrl ?? ""}${route.path}`;
    const path = (originalUrl ?? url ?? "/").split("?", 1)[0]!;
    return `${method} ${path.replaceAll(/\/(?:\d+|[\da-f]{8}-[\da-f-]{27}|[\da-f]{16,})(?=\/|$)/gi, "/:id")}`;
  }

  startCall(target: string): ObservedCall {
    const call: ObservedCall = { target, startedAt: performance.now(), endedAt: undefined };
    this.#calls.push(call);
    return call;
  }

  /** The client has disconnected before the response was complete. */
  leave(): void {
    this.#leftAt ??= performance.now();
  }

  /** The handler has completed its response, whether the client still receives it or not. */
  end(): void {
    this.#endedAt ??= performance.now();
  }

  /** The handler will not complete its response: its client has left, and it starts nothing more. */
  abandon(): void {
    this.#endedAt ??= this.#endAt(performance.now());
  }

  get isCalling(): boolean {
    return this.#calls.some(({ endedAt }) => endedAt === undefined);
  }

  get hasEnded(): boolean {
    return this.#endedAt !== undefined;
  }

  get hasLeft(): boolean {
    return this.#leftAt !== undefined;
  }

  /** When the request would have been ended, and why; `undefined` if it was in time. */
  cut(now: number = performance.now()): { readonly at: number; readonly by: Cut } | undefined {
    const end = this.#endAt(now);
    const leftAt = this.#leftAt ?? Infinity;
    if (this.#deadlineAt < end && this.#deadlineAt <= leftAt) return { at: this.#deadlineAt, by: "deadline" };
    return leftAt < end ? { at: leftAt, by: "disconnect" } : undefined;
  }

  /** Milliseconds that the handler worked after the request would have been ended. */
  workAfter(at: number, now: number = performance.now()): number {
    return Math.max(0, this.#endAt(now) - at);
  }

  /**
   * The end of the handler, as far as it is known. A handler may not complete the response of a client that has left
   * (Koa does not); then it has worked at least until its last call ended.
   */
  #endAt(now: number): number {
    if (this.#endedAt !== undefined) return this.#endedAt;
    if (this.#leftAt === undefined || this.isCalling) return now;
    return Math.max(this.#leftAt, ...this.#calls.map(({ endedAt }) => endedAt!));
  }

  /** The calls that were started after this time, and the milliseconds that all calls ran after it. */
  callsAfter(
    at: number,
    now: number = performance.now(),
  ): { readonly started: readonly string[]; readonly ms: number } {
    const running = this.#calls.filter((call) => (call.endedAt ?? now) > at);
    return {
      started: running.filter((call) => call.startedAt > at).map(({ target }) => target),
      ms: running.reduce((sum, call) => sum + (call.endedAt ?? now) - Math.max(at, call.startedAt), 0),
    };
  }
}

function deadlineOf(headers: IncomingHttpHeaders, limit = Infinity): { ms: number; setBy: string | undefined } {
  let ms = limit;
  let setBy = limit === Infinity ? undefined : "assumed limit";
  for (const dialect of DIALECTS) {
    const value = headers[dialect.header];
    const left = typeof value === "string" ? dialect.parse(value) : undefined;
    if (left === undefined || left >= ms) continue;
    ms = left;
    setBy = dialect.header;
  }
  return { ms, setBy };
}
