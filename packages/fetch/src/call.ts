/** What a `fetch` is called with. */
export type FetchArguments = [input: Parameters<typeof globalThis.fetch>[0], init?: RequestInit];

/** A call, with what has to be known of it before it is sent. */
export interface Call {
  readonly input: FetchArguments[0];
  readonly init: RequestInit;
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly signal: AbortSignal | null | undefined;
}

/** Reads a call as the fetch standard does: what `init` says goes before what a Request says. */
export function readCall(input: FetchArguments[0], init: RequestInit = {}): Call {
  // An init that is itself a Request, or has its members by inheritance, would lose them when it is spread.
  if (!isPlain(init)) return readCall(new Request(input, init));
  const request = isRequest(input) ? input : undefined;
  return {
    input,
    init,
    url: request?.url ?? String(input),
    method: (init.method ?? request?.method ?? "GET").toUpperCase(),
    headers: new Headers(init.headers ?? request?.headers),
    signal: init.signal === undefined ? request?.signal : init.signal,
  };
}

function isPlain(init: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(init);
  return prototype === null || prototype === Object.prototype;
}

/** Whether this is a Request, be it of another implementation. */
function isRequest(input: FetchArguments[0]): input is Request {
  return typeof input === "object" && "url" in input && "headers" in input;
}
