/** The headers of a request on any host. */
export interface RequestHeaders {
  /** Returns all values of a header by its lower-case name. Values of a repeated header may be joined with commas. */
  get(name: string): string | readonly string[] | undefined;
  names(): readonly string[];
}

/** The headers of Node's `IncomingMessage`, for HTTP/1 and HTTP/2. */
export class NodeHeaders implements RequestHeaders {
  readonly #headers: Record<string, string | string[] | undefined>;

  constructor(headers: Record<string, string | string[] | undefined>) {
    this.#headers = headers;
  }

  get(name: string): string | readonly string[] | undefined {
    return this.#headers[name];
  }

  names(): readonly string[] {
    return Object.keys(this.#headers);
  }
}

/** Adapts the `Headers` of the Fetch standard. */
export function webHeaders(headers: Headers): RequestHeaders {
  return { get: (name) => headers.get(name) ?? undefined, names: () => [...headers.keys()] };
}

/** Returns the value of a header that was sent exactly once; else `undefined`. */
export function single(headers: RequestHeaders, name: string): string | undefined {
  const value = headers.get(name);
  return typeof value === "string" ? value : value?.length === 1 ? value[0] : undefined;
}

/** Removes matching entries from a raw list of headers, in which names and values alternate. */
export function removePairs<T>(raw: T[], isUnwanted: (name: T, value: T) => boolean): void {
  for (let index = raw.length - 2; index >= 0; index -= 2) {
    if (isUnwanted(raw[index]!, raw[index + 1]!)) raw.splice(index, 2);
  }
}
