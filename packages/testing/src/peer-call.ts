import type { Context, Key } from "@throughline/context";
import { traceId } from "@throughline/context";
import { type Principal, principal } from "@throughline/identity";

import { endedBy, type EndedBy } from "./outcome.ts";

/** A request that a peer has received. */
export class PeerCall {
  readonly method: string;
  readonly url: string;
  /** The headers as they were sent. */
  readonly headers: Headers;
  /** The HTTP status of the response; `undefined` before it, and if the caller left before. */
  status: number | undefined = undefined;
  /** The error that the handler threw and that was answered 500. Errors of this library have statuses of their own. */
  error: unknown = undefined;
  /** Why the caller has aborted the call: the error of its context, or the reason of its own signal. */
  abortReason: unknown = undefined;
  #received: { readonly ctx: Context; readonly budget: number | undefined } | undefined;
  #isHandled = true;
  #hasEnded = false;

  constructor(request: Request) {
    this.method = request.method;
    this.url = request.url;
    this.headers = new Headers(request.headers);
    unfinished.add(this);
  }

  /** The context in the peer; `undefined` if the request was rejected before the handler ran. */
  get ctx(): Context | undefined {
    return this.#received?.ctx;
  }

  /** Milliseconds that the peer had when the request arrived; `undefined` without a deadline. */
  get budget(): number | undefined {
    return this.#received?.budget;
  }

  get traceId(): string | undefined {
    return this.ctx === undefined ? undefined : traceId(this.ctx);
  }

  get principal(): Principal | undefined {
    return this.ctx === undefined ? undefined : principal(this.ctx);
  }

  /** Returns the value of a key in the peer's context. */
  value<T>(key: Key<T>): T | undefined {
    return this.ctx?.value(key);
  }

  /** What ended the request in the peer; `undefined` while it is being handled. */
  get endedBy(): EndedBy | undefined {
    if (this.error !== undefined && this.abortReason === undefined) return "error";
    if (this.ctx !== undefined) return endedBy(this.ctx);
    if (this.status !== undefined) return "refusal";
    return this.#hasEnded ? "client" : undefined;
  }

  /** @internal The handler begins. */
  received(ctx: Context): void {
    const remaining = ctx.remaining();
    this.#isHandled = false;
    this.#received = { ctx, budget: remaining === Infinity ? undefined : remaining };
  }

  /** @internal The handler has settled. */
  handled(): void {
    this.#isHandled = true;
    this.#finish();
  }

  /** @internal The response was sent, or the caller has left. */
  ended(): void {
    this.#hasEnded = true;
    this.#finish();
  }

  #finish(): void {
    if (this.#isHandled && this.#hasEnded) unfinished.delete(this);
  }
}

const unfinished = new Set<PeerCall>();

/** The calls whose handler or response has not ended, in the order in which they came. */
export function unfinishedPeerCalls(): PeerCall[] {
  return [...unfinished];
}
