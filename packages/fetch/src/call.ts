import type { Duration } from "@throughline/context";

/** What a call may say besides what every `fetch` takes. */
export interface CallInit extends RequestInit {
  /** How long this call may take in all, its body included. A context's deadline that is earlier holds. */
  timeout?: Duration;
}

/** What a `fetch` is called with. */
export type FetchArguments = [input: Parameters<typeof globalThis.fetch>[0], init?: CallInit];

/** What is to become of redirects. */
export type Redirect = NonNullable<RequestInit["redirect"]>;

/** A call, with what has to be known of it before it is sent. */
export interface Call {
  readonly input: FetchArguments[0];
  readonly init: RequestInit;
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly signal: AbortSignal | null | undefined;
  readonly redirect: Redirect;
  readonly timeout: Duration | undefined;
}

/** Reads a call as the fetch standard does: what `init` says goes before what a Request says. */
export function readCall(input: FetchArguments[0], options: CallInit = {}): Call {
  // An init that is itself a Request, or has its members by inheritance, would lose them when it is spread.
  if (!isPlain(options)) return readCall(new Request(input, options));
  const { timeout, ...init } = options;
  const request = isRequest(input) ? input : undefined;
  return {
    input,
    init,
    url: request?.url ?? String(input),
    method: methodOf(init.method ?? request?.method ?? "GET"),
    headers: new Headers(init.headers ?? request?.headers),
    signal: init.signal === undefined ? request?.signal : init.signal,
    redirect: init.redirect ?? request?.redirect ?? "follow",
    timeout,
  };
}

/** What is sent with the call, if it can be sent again: a stream cannot. `null` for nothing. */
export function replayableBody({ input, init }: Call): { readonly body: RequestInit["body"] } | undefined {
  const { body } = init;
  if (body === undefined || body === null) {
    return isRequest(input) && input.body !== null && input.body !== undefined ? undefined : { body: null };
  }
  const isStream = typeof body === "object" && (body instanceof ReadableStream || Symbol.asyncIterator in body);
  return isStream ? undefined : { body };
}

/** Methods that the standard writes in upper case whatever the caller does; it leaves `patch` as it is. */
const NORMALIZED = /^(?:delete|get|head|options|post|put)$/i;

function methodOf(method: string): string {
  return NORMALIZED.test(method) ? method.toUpperCase() : method;
}

function isPlain(init: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(init);
  return prototype === null || prototype === Object.prototype;
}

/** Whether this is a Request, be it of another implementation. */
function isRequest(input: FetchArguments[0]): input is Request {
  return typeof input === "object" && "url" in input && "headers" in input;
}
