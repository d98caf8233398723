import { describe, type Duration } from "@throughline/context";

/** What a call may say besides what every `fetch` takes. */
export interface CallInit extends RequestInit {
  /** How long this call may take in all, its body included. A context's deadline that is earlier holds. */
  timeout?: Duration;
}

/** What a `fetch` is called with. */
export type FetchArguments = [input: Parameters<typeof globalThis.fetch>[0], init?: CallInit | null];

/** What is to become of redirects. */
export type Redirect = NonNullable<RequestInit["redirect"]>;

/** A call, with what has to be known of it before it is sent. */
export interface Call {
  readonly input: FetchArguments[0];
  readonly init: RequestInit;
  /** Whether it is a Request, which has more to it than is known here. */
  readonly isRequest: boolean;
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly signal: AbortSignal | null | undefined;
  readonly redirect: Redirect;
  readonly timeout: Duration | undefined;
}

/** Reads a call as the fetch standard does: what `init` says goes before what a Request says. */
export function readCall(input: FetchArguments[0], options?: CallInit | null): Call {
  const { timeout, ...own } = options ?? {};
  // An init that is itself a Request, or has its members by inheritance, loses them when it is spread.
  const init = options == null || isPlain(options) ? own : inherited(options);
  if (init.signal != null && !(init.signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot fetch: 'signal' must be an AbortSignal: current value is ${describe(init.signal)}`);
  }
  const request = isRequest(input) ? input : undefined;
  return {
    input,
    init,
    isRequest: request !== undefined,
    url: request?.url ?? String(input),
    method: methodOf(init.method ?? request?.method ?? "GET"),
    headers: new Headers(init.headers ?? request?.headers),
    signal: init.signal === undefined ? request?.signal : init.signal,
    redirect: init.redirect ?? request?.redirect ?? "follow",
    timeout: timeout ?? options?.timeout,
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

/** What a call may say, wherever an object has it from. */
const MEMBERS =
  "method headers body duplex signal redirect integrity keepalive dispatcher mode credentials cache referrer referrerPolicy".split(
    " ",
  );

function inherited(options: object): RequestInit {
  const all = MEMBERS.map((name) => [name, (options as Record<string, unknown>)[name]] as const);
  const init = Object.fromEntries(all.filter(([, value]) => value !== undefined)) as RequestInit & { duplex?: string };
  // A Request does not tell that its body is a stream.
  if (init.body instanceof ReadableStream) init.duplex ??= "half";
  return init;
}

function isPlain(init: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(init);
  return prototype === null || prototype === Object.prototype;
}

/** Whether this is a Request, be it of another implementation. */
function isRequest(input: FetchArguments[0]): input is Request {
  return typeof input === "object" && "url" in input && "headers" in input;
}
