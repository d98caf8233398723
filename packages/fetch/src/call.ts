import { type Context, type Duration, isContext } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

import { headerIn, type HeaderList, type HeaderPairs } from "./header-list.ts";

/** The `init` of a call: that of every `fetch`, with `ctx` and `timeout`. */
export interface CallInit extends RequestInit {
  /** The context of the call. @default current() */
  ctx?: Context;
  /**
   * The time limit of this call, its retries and its body included. An earlier deadline of the context still applies.
   * A value of 0 or less has already passed.
   */
  timeout?: Duration;
}

/** The arguments of a call. */
export type FetchArguments = [input: Parameters<typeof globalThis.fetch>[0], init?: CallInit | null];

/** The arguments of one call. This client reads only the members that it needs, and passes all of them on. */
export class Call {
  readonly input: FetchArguments[0];
  /** The caller's `init`, without `ctx` and `timeout`. */
  readonly init: RequestInit | null | undefined;
  readonly ctx: Context | undefined;
  readonly timeout: Duration | undefined;
  readonly #request: Request | undefined;
  #url: { readonly parsed: URL | undefined } | undefined;

  /** @throws TypeError if `ctx` is not a Context */
  constructor(input: FetchArguments[0], init: CallInit | null | undefined) {
    this.input = input;
    this.#request = isRequest(input) ? input : undefined;
    const { ctx, timeout } = init ?? {};
    if (ctx !== undefined && !isContext(ctx)) {
      throw new TypeError(`Cannot fetch: 'ctx' must be a Context, such as current(); received ${describeValue(ctx)}`);
    }
    this.ctx = ctx;
    this.timeout = timeout;
    this.init = ctx === undefined && timeout === undefined ? init : withoutOwnMembers(init!);
  }

  get method(): string {
    const method = this.init?.method ?? this.#request?.method ?? "GET";
    return NORMALIZED.test(method) ? method.toUpperCase() : method;
  }

  /** `undefined` for URLs that do not use HTTP. */
  get url(): URL | undefined {
    this.#url ??= { parsed: httpUrl(this.#request?.url ?? String(this.input)) };
    return this.#url.parsed;
  }

  /** The caller's own signal. */
  get signal(): AbortSignal | undefined {
    const signal = this.init?.signal === undefined ? this.#request?.signal : this.init.signal;
    return signal instanceof AbortSignal ? signal : undefined;
  }

  /** Whether `init.signal` is not a signal, which `fetch` rejects. */
  get hasInvalidSignal(): boolean {
    return this.init?.signal != null && this.signal === undefined;
  }

  get redirect(): NonNullable<RequestInit["redirect"]> {
    return this.init?.redirect ?? this.#request?.redirect ?? "follow";
  }

  header(name: string): string | undefined {
    return headerIn((this.init?.headers ?? this.#request?.headers) as HeaderList, name);
  }

  /** The `init` for the wrapped fetch: the caller's own if nothing is added, else a copy with these additions. */
  initWith(added: HeaderPairs, members: RequestInit): RequestInit | null | undefined {
    const { init } = this;
    const headers = this.#headersWith(added);
    if (headers === undefined && Object.keys(members).length === 0) return init;
    // `fetch` rejects an `init` that is not an object.
    if (init != null && typeof init !== "object") return init;
    const sent: RequestInit = init == null ? {} : isPlain(init) ? { ...init } : membersOf(init);
    if (headers !== undefined) sent.headers = headers;
    return Object.assign(sent, members);
  }

  /**
   * The caller's headers, in which `added` replace those of the same names. The result has the form of the caller's,
   * as a wrapped fetch may read it.
   */
  #headersWith(added: HeaderPairs): RequestInit["headers"] {
    if (added.length === 0) return undefined;
    const initHeaders: unknown = this.init?.headers;
    const own: unknown = initHeaders === undefined ? this.#request?.headers : initHeaders;
    if (own === undefined) return Object.fromEntries(added);
    // `fetch` rejects anything else, `null` included.
    if (typeof own !== "object" || own === null) return own as RequestInit["headers"];
    if (typeof (own as Headers).set === "function" && typeof (own as Headers).append === "function") {
      const copy = new (own.constructor as typeof Headers)(own as Headers);
      for (const [name, value] of added) copy.set(name, value);
      return copy;
    }
    const isAdded = (name: unknown): boolean => added.some(([each]) => String(name).toLowerCase() === each);
    if (Symbol.iterator in own) {
      const pairs = [...(own as Iterable<[string, string]>)];
      return [...pairs.filter((pair) => !isAdded(pair?.[0])), ...(added as [string, string][])];
    }
    const copy = { ...own } as Record<string, string>;
    for (const name of Object.keys(copy)) if (isAdded(name)) delete copy[name];
    for (const [name, value] of added) copy[name] = value;
    return copy;
  }

  /** Whether the body can be sent again, which a stream cannot. */
  get isReplayable(): boolean {
    const body = this.init?.body;
    if (body == null) return this.#request === undefined || this.#request.body == null;
    return !(typeof body === "object" && (body instanceof ReadableStream || Symbol.asyncIterator in body));
  }

  /** Cancels a body that will not be sent (Fetch standard, "abort the fetch() call"). */
  cancelBody(reason: unknown): void {
    const body: unknown = this.init?.body ?? this.#request?.body;
    if (typeof body !== "object" || body === null) return;
    if (body instanceof ReadableStream) {
      if (!body.locked) body.cancel(reason).catch(() => {});
    } else if (typeof (body as { destroy?: unknown }).destroy === "function") {
      const stream = body as NodeJS.EventEmitter & { destroy(error?: unknown): void };
      // Without a listener the error would become an uncaught exception.
      stream.on("error", () => {});
      stream.destroy(reason instanceof Error ? reason : undefined);
    } else if (typeof (body as AsyncIterator<unknown>).return === "function") {
      Promise.resolve((body as Required<AsyncIterator<unknown>>).return()).catch(() => {});
    }
  }
}

/** Methods that the Fetch standard normalizes to upper case; `patch` is not among them. */
const NORMALIZED = /^(?:delete|get|head|options|post|put)$/i;

/** A plain copy of an `init` of a class, whose members may be accessors of a prototype. */
function membersOf(init: object): RequestInit {
  const members: Record<PropertyKey, unknown> = {};
  for (
    let from: object | null = init;
    from !== null && !isRoot(from);
    from = Object.getPrototypeOf(from) as object | null
  ) {
    for (const name of Reflect.ownKeys(from)) {
      if (name === "constructor" || Object.hasOwn(members, name)) continue;
      const value = (init as Record<PropertyKey, unknown>)[name];
      if (value !== undefined && (typeof value !== "function" || Object.hasOwn(init, name))) members[name] = value;
    }
  }
  // A Request as `init` has a stream as its body, and may not have `duplex`.
  if (members["body"] instanceof ReadableStream) members["duplex"] ??= "half";
  return members;
}

function withoutOwnMembers(init: CallInit): RequestInit {
  const { ctx: _ctx, timeout: _timeout, ...others } = isPlain(init) ? init : (membersOf(init) as CallInit);
  return others;
}

function isPlain(init: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(init);
  return prototype === null || prototype === Object.prototype;
}

/** Whether this is `Object.prototype`, of this realm or another. */
function isRoot(object: object): boolean {
  return Object.getPrototypeOf(object) === null && Object.hasOwn(object, "hasOwnProperty");
}

/** Whether this is a Request, of any implementation. */
function isRequest(input: FetchArguments[0]): input is Request {
  return typeof input === "object" && input !== null && "url" in input && "headers" in input;
}

function httpUrl(url: string): URL | undefined {
  const parsed = URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed : undefined;
}
