import type { RemoteDeadlineQuery, TraceQuery, TraceSummary } from "../api.ts";
import { HttpError } from "../server/http-error.ts";
import type { ViewedSpan } from "../span.ts";

/** A server that keeps traces. */
export interface RemoteSource {
  readonly kind: "Tempo" | "Jaeger";
  /** Returns `undefined` if the server does not have the trace. */
  trace(traceId: string): Promise<ViewedSpan[] | undefined>;
  search(query: TraceQuery): Promise<TraceSummary[]>;
  /** Finds traces with deadlines, newest first. */
  findDeadlines(query: FindQuery): Promise<FoundTraces>;
  services(): Promise<string[]>;
}

export interface FindQuery extends Pick<RemoteDeadlineQuery, "since" | "until" | "service"> {
  readonly limit: number;
  /** Service and name of the root span. */
  readonly root?: { readonly service: string; readonly name: string } | undefined;
}

export interface FoundTraces {
  readonly traceIds: readonly string[];
  /** The spans of all these traces, if the search returns them. */
  readonly spans?: readonly ViewedSpan[];
}

/** The bounds of a search in milliseconds since the epoch. Without a start it is an hour. */
export function searchedTime({ since, until = Date.now() }: Pick<FindQuery, "since" | "until">): [number, number] {
  return [since ?? Math.max(0, until - HOUR), until];
}

const HOUR = 3_600_000;

export interface RemoteOptions {
  /** The base address of Tempo's or Jaeger's HTTP API. */
  readonly url: string;
  /** Headers of each request, such as `authorization` or `x-scope-orgid`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends GET requests to a remote server, with limits for time and size. */
export interface RemoteClient {
  /** Returns `undefined` for 404. */
  get(path: string, accept?: string): Promise<Uint8Array | undefined>;
  json(path: string): Promise<unknown>;
}

/** Milliseconds for a request. A search over object storage may take long. */
const TIMEOUT = 30_000;
const MAX_BYTES = 128 * 1024 * 1024;

/**
 * Creates the client of a remote source.
 *
 * @throws TypeError if the URL or a header is invalid
 */
export function remoteClient({ url, headers = {} }: RemoteOptions): RemoteClient {
  const base = URL.parse(url);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new TypeError(`Cannot start the viewer: 'from' must be an http or https URL; received "${url}"`);
  }
  const common = new Headers(headers);
  if (base.username !== "") {
    const pair = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`;
    common.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
  }
  const root = `${base.origin}${base.pathname.replace(/\/$/, "")}`;
  async function get(path: string, accept = "application/json"): Promise<Uint8Array | undefined> {
    const sent = new Headers(common);
    sent.set("accept", accept);
    let response: Response;
    try {
      response = await fetch(root + path, { headers: sent, signal: AbortSignal.timeout(TIMEOUT) });
    } catch (error) {
      const { cause, message } = error as Error;
      const reason = cause instanceof Error ? cause.message : message;
      throw new HttpError(502, `Cannot read from ${root}: ${reason}`);
    }
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    const body = await read(response, root);
    if (!response.ok) {
      const text = new TextDecoder().decode(body.subarray(0, 300)).trim();
      throw new HttpError(502, `Cannot read from ${root}: it answered ${response.status} ${text}`.trim());
    }
    return body;
  }
  async function json(path: string): Promise<unknown> {
    const body = await get(path);
    if (body === undefined) return undefined;
    try {
      return JSON.parse(new TextDecoder().decode(body)) as unknown;
    } catch {
      throw new HttpError(502, `Cannot read from ${root}: its answer to ${path.split("?")[0]} is not JSON`);
    }
  }
  return { get, json };
}

async function read(response: Response, root: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_BYTES)
      throw new HttpError(502, `Cannot read from ${root}: the answer is above ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
