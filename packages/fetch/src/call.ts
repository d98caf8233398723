import { type Context, type Duration, isContext } from "@throughline/context";
import { describeValue } from "@throughline/context/internal";

import { headerIn, type HeaderList } from "./header-list.ts";
import type { Pairs } from "./raw-headers.ts";

/** What a call may say besides what every `fetch` takes. */
export interface CallInit extends RequestInit {
  /** The context that the call is made under. @default current() */
  ctx?: Context;
  /** How long this call may take in all, its body included. A context's deadline that is earlier holds; with 0 or less it has passed. */
  timeout?: Duration;
}

/** What a `fetch` is called with. */
export type FetchArguments = [input: Parameters<typeof globalThis.fetch>[0], init?: CallInit | null];

/** A call as its caller gave it. It is handed on unread, but for the few members that we have a part in. */
export class Call {
  readonly input: FetchArguments[0];
  /** Without what only we take. */
  readonly init: RequestInit | null | undefined;
  readonly ctx: Context | undefined;
  readonly timeout: Duration | undefined;
  readonly #request: Request | undefined;
  #url: { readonly parsed: URL | undefined } | undefined;

  /** @throws TypeError if `ctx` is no Context */
  constructor(input: FetchArguments[0], init: CallInit | null | undefined) {
    this.input = input;
    this.#request = isRequest(input) ? input : undefined;
    const { ctx, timeout } = init ?? {};
    if (ctx !== undefined && !isContext(ctx)) {
      throw new TypeError(`Cannot fetch: 'ctx' must be a Context, such as current(); received ${describeValue(ctx)}`);
    }
    this.ctx = ctx;
    this.timeout = timeout;
    this.init = ctx === undefined && timeout === undefined ? init : withoutOurs(init!);
  }

  get method(): string {
    const method = this.init?.method ?? this.#request?.method ?? "GET";
    return NORMALIZED.test(method) ? method.toUpperCase() : method;
  }

  /** `undefined` where nothing goes over HTTP. */
  get url(): URL | undefined {
    this.#url ??= { parsed: httpUrl(this.#request?.url ?? String(this.input)) };
    return this.#url.parsed;
  }

  /** The caller's own signal. */
  get signal(): AbortSignal | undefined {
    const signal = this.init?.signal === undefined ? this.#request?.signal : this.init.signal;
    return signal instanceof AbortSignal ? signal : undefined;
  }

  /** Whether the caller gave something that is no signal, which `fetch` refuses. */
  get hasInvalidSignal(): boolean {
    return this.init?.signal != null && this.signal === undefined;
  }

  get redirect(): NonNullable<RequestInit["redirect"]> {
    return this.init?.redirect ?? this.#request?.redirect ?? "follow";
  }

  header(name: string): string | undefined {
    return headerIn((this.init?.headers ?? this.#request?.headers) as HeaderList, name);
  }

  /** The `init` to send it with: the caller's, with other headers, a signal, and other members. */
  initWith(ours: Pairs, others: RequestInit): RequestInit | null | undefined {
    const { init } = this;
    const headers = this.#headersWith(ours);
    if (headers === undefined && Object.keys(others).length === 0) return init;
    // What is no object, `fetch` refuses.
    if (init != null && typeof init !== "object") return init;
    const sent: RequestInit = init == null ? {} : isPlain(init) ? { ...init } : membersOf(init);
    if (headers !== undefined) sent.headers = headers;
    return Object.assign(sent, others);
  }

  /** The caller's headers with ours in the place of any of the same name: of the same kind, as a fetch that is wrapped may look at them. */
  #headersWith(ours: Pairs): RequestInit["headers"] {
    if (ours.length === 0) return undefined;
    const given: unknown = this.init?.headers;
    const own: unknown = given === undefined ? this.#request?.headers : given;
    if (own === undefined) return Object.fromEntries(ours);
    // Others, `null` among them, `fetch` refuses.
    if (typeof own !== "object" || own === null) return own as RequestInit["headers"];
    if (typeof (own as Headers).set === "function" && typeof (own as Headers).append === "function") {
      const copy = new (own.constructor as typeof Headers)(own as Headers);
      for (const [name, value] of ours) copy.set(name, value);
      return copy;
    }
    const isOurs = (name: unknown): boolean => ours.some(([each]) => String(name).toLowerCase() === each);
    if (Symbol.iterator in own) {
      const pairs = [...(own as Iterable<[string, string]>)];
      return [...pairs.filter((pair) => !isOurs(pair?.[0])), ...(ours as [string, string][])];
    }
    const copy = { ...own } as Record<string, string>;
    for (const name of Object.keys(copy)) if (isOurs(name)) delete copy[name];
    for (const [name, value] of ours) copy[name] = value;
    return copy;
  }

  /** What is sent with the call, if it can be sent again: a stream cannot. */
  get isReplayable(): boolean {
    const body = this.init?.body;
    if (body == null) return this.#request === undefined || this.#request.body == null;
    return !(typeof body === "object" && (body instanceof ReadableStream || Symbol.asyncIterator in body));
  }

  /** Gives up a body that will not be sent (Fetch standard, "abort the fetch() call"). */
  cancelBody(reason: unknown): void {
    const body: unknown = this.init?.body ?? this.#request?.body;
    if (typeof body !== "object" || body === null) return;
    if (body instanceof ReadableStream) {
      if (!body.locked) body.cancel(reason).catch(() => {});
    } else if (typeof (body as { destroy?: unknown }).destroy === "function") {
      const stream = body as NodeJS.EventEmitter & { destroy(error?: unknown): void };
      // Its owner may not listen: that it is given up is no fault of the stream.
      stream.on("error", () => {});
      stream.destroy(reason instanceof Error ? reason : undefined);
    } else if (typeof (body as AsyncIterator<unknown>).return === "function") {
      Promise.resolve((body as Required<AsyncIterator<unknown>>).return()).catch(() => {});
    }
  }
}

/** Methods that the standard writes in upper case whatever the caller does; it leaves `patch` as it is. */
const NORMALIZED = /^(?:delete|get|head|options|post|put)$/i;

/** A call's members that a class may have as accessors of its prototype. */
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
  // A Request has a body that is a stream, and may not say so.
  if (members["body"] instanceof ReadableStream) members["duplex"] ??= "half";
  return members;
}

function withoutOurs(init: CallInit): RequestInit {
  const { ctx: _ctx, timeout: _timeout, ...others } = isPlain(init) ? init : (membersOf(init) as CallInit);
  return others;
}

function isPlain(init: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(init);
  return prototype === null || prototype === Object.prototype;
}

/** The prototype of all objects, of this realm or another. */
function isRoot(object: object): boolean {
  return Object.getPrototypeOf(object) === null && Object.hasOwn(object, "hasOwnProperty");
}

/** Whether this is a Request, be it of another implementation. */
function isRequest(input: FetchArguments[0]): input is Request {
  return typeof input === "object" && input !== null && "url" in input && "headers" in input;
}

function httpUrl(url: string): URL | undefined {
  const parsed = URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed : undefined;
}
