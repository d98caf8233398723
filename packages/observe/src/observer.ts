import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";

import type { Duration } from "@throughline/context";
import { milliseconds } from "@throughline/context/internal";

import { type ObservedCall, ObservedRequest } from "./observed-request.ts";
import { type Report, Totals } from "./report.ts";

export interface ObserverOptions {
  /** A timeout to assume for each request, to see what `maxTimeout` would end. @default deadline headers only */
  limit?: Duration;
}

type Emit = (this: unknown, event: string, ...args: unknown[]) => boolean;

/** A handler that starts no call for so long after its client has left, and does not end, will not end. */
const ABANDONED_MS = 30_000;

/** The request that the current code works for. */
const storage = new AsyncLocalStorage<ObservedRequest>();

/** The handler's last call for a response is `end`, also when the client has left. */
const observed = new WeakMap<object, ObservedRequest>();

/**
 * Observes the servers and clients of `node:http` and `node:https`, and `fetch`, of this process: by the prototypes of
 * servers and responses, and by diagnostics channels. It ends nothing, sends nothing, and changes no request.
 */
export class Observer implements Disposable {
  readonly #limit: number | undefined;
  readonly #totals = new Totals();
  readonly #active = new Set<ObservedRequest>();
  readonly #calls = new WeakMap<object, ObservedCall>();
  readonly #cleanups: (() => void)[] = [];
  /** Servers that are not observed, such as the one that serves the report. */
  readonly #ignored = new WeakSet<object>();

  /** @throws TypeError, RangeError if the limit is invalid */
  constructor({ limit }: ObserverOptions = {}) {
    this.#limit = limit === undefined ? undefined : milliseconds(limit, "observe requests", "limit");
    for (const { prototype } of [http.Server, https.Server]) this.#observeServer(prototype);
    this.#observeResponses();
    this.#observeCalls();
  }

  /** Does not observe the requests of a server. */
  ignore(server: object): void {
    this.#ignored.add(server);
  }

  report(): Report {
    return this.#totals.report(this.#active);
  }

  /** Stops to observe, and restores the prototypes. */
  [Symbol.dispose](): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }

  #observeServer(prototype: object): void {
    const own = Object.getOwnPropertyDescriptor(prototype, "emit");
    const emit = (prototype as { emit: Emit }).emit;
    const receive = (req: IncomingMessage, res: ServerResponse): ObservedRequest => this.#receive(req, res);
    const isIgnored = (server: object): boolean => this.#ignored.has(server);
    const replacement: Emit = function (event, ...args) {
      if (event !== "request" || isIgnored(this as object))
        return Reflect.apply(emit, this, [event, ...args]) as boolean;
      const request = receive(args[0] as IncomingMessage, args[1] as ServerResponse);
      return storage.run(request, () => Reflect.apply(emit, this, [event, ...args]) as boolean);
    };
    Object.defineProperty(prototype, "emit", { value: replacement, configurable: true, writable: true });
    this.#cleanups.push(() => {
      if (own === undefined) delete (prototype as { emit?: Emit }).emit;
      else Object.defineProperty(prototype, "emit", own);
    });
  }

  #receive(req: IncomingMessage, res: ServerResponse): ObservedRequest {
    const request = new ObservedRequest(req, this.#limit);
    this.#active.add(request);
    observed.set(res, request);
    res.once("close", () => {
      if (res.writableFinished || request.hasEnded) return this.#settle(request);
      // The handler goes on until it completes its response.
      request.leave();
      this.#expectEnd(request);
    });
    return request;
  }

  /** Waits for the end of a handler whose client has left, and gives up when it starts nothing more. */
  #expectEnd(request: ObservedRequest): void {
    const timer = setTimeout(() => {
      if (request.hasEnded) return;
      if (request.isCalling) return this.#expectEnd(request);
      request.abandon();
      this.#settle(request);
    }, ABANDONED_MS);
    timer.unref();
  }

  #settle(request: ObservedRequest): void {
    if (!this.#active.delete(request)) return;
    request.end();
    this.#totals.add(request);
  }

  #observeResponses(): void {
    const prototype = http.ServerResponse.prototype as { end: unknown };
    const end = prototype.end as (...args: unknown[]) => ServerResponse;
    const settle = (request: ObservedRequest): void => this.#settle(request);
    prototype.end = function (this: ServerResponse, ...args: unknown[]) {
      const request = observed.get(this);
      request?.end();
      // Otherwise the response's 'close' follows, when it is sent.
      if (request?.hasLeft) settle(request);
      return Reflect.apply(end, this, args);
    };
    this.#cleanups.push(() => void (prototype.end = end));
  }

  #observeCalls(): void {
    const start = (call: object, target: string): void => {
      const started = storage.getStore()?.startCall(target);
      if (started !== undefined) this.#calls.set(call, started);
    };
    const end = (call: object): void => {
      const ended = this.#calls.get(call);
      if (ended !== undefined) ended.endedAt ??= performance.now();
    };
    type Undici = { request: object & { origin?: string | URL } };
    type Client = { request: ClientRequest };
    this.#on("undici:request:create", (message) => {
      const { request } = message as Undici;
      start(request, hostOf(String(request.origin)));
    });
    this.#on("undici:request:trailers", (message) => end((message as Undici).request));
    this.#on("undici:request:error", (message) => end((message as Undici).request));
    this.#on("http.client.request.start", (message) => {
      const { request } = message as Client;
      start(request, String(request.getHeader("host") ?? request.host));
      request.once("close", () => end(request));
    });
  }

  #on(channel: string, listener: (message: unknown) => void): void {
    subscribe(channel, listener);
    this.#cleanups.push(() => void unsubscribe(channel, listener));
  }
}

function hostOf(origin: string): string {
  return URL.parse(origin)?.host ?? origin;
}
