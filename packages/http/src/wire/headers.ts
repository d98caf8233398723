/** Headers of a request as a server has them, whatever made it. */
export interface RequestHeaders {
  /** All values of a header, by its name in lower case. One that was sent more than once may come joined with commas. */
  get(name: string): string | readonly string[] | undefined;
  names(): readonly string[];
}

/** Headers of Node's `IncomingMessage`, of HTTP/1 or 2. */
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

/** Headers as the fetch standard has them. */
export function webHeaders(headers: Headers): RequestHeaders {
  return { get: (name) => headers.get(name) ?? undefined, names: () => [...headers.keys()] };
}

/** The header if it was sent once, else `undefined`. */
export function single(headers: RequestHeaders, name: string): string | undefined {
  const value = headers.get(name);
  return typeof value === "string" ? value : value?.length === 1 ? value[0] : undefined;
}

/** Removes entries from a raw list of headers, in which names and values take turns. */
export function removePairs<T>(raw: T[], isUnwanted: (name: T, value: T) => boolean): void {
  for (let index = raw.length - 2; index >= 0; index -= 2) {
    if (isUnwanted(raw[index]!, raw[index + 1]!)) raw.splice(index, 2);
  }
}
