import type { RemoteDeadlineQuery, RemoteServer, TraceQuery, TraceSummary } from "../api.ts";
import { HttpError } from "../server/http-error.ts";
import type { ViewedSpan } from "../span.ts";
import { type StoreLimits, TraceStore } from "../store/trace-store.ts";
import { jaegerSource } from "./jaeger.ts";
import { type RemoteClient, remoteClient, type RemoteOptions, type RemoteSource } from "./remote-client.ts";
import { tempoSource } from "./tempo.ts";

/** Milliseconds for which a fetched trace is kept, so that an open page does not fetch it at every change. */
const KEEP = 60_000;
/** Limits of the traces that are kept. */
const KEPT = { maxSpans: 400_000, maxBytes: 256 * 1024 * 1024 };

/** Number of traces of a report. */
const [DEFAULT_FOUND, MAX_FOUND] = [100, 500];
/** Number of traces that are fetched at the same time. */
const CONCURRENCY = 6;
/** Milliseconds for fetching the traces of a report. */
const REPORT_TIME = 60_000;
/** Maximum number of spans of a report. */
const REPORT_SPANS = 200_000;

/** The traces of a report. */
export interface ReadTraces {
  readonly traces: readonly ViewedSpan[][];
  readonly found: number;
  readonly limit: number;
  readonly unread: number;
  readonly reason: string | undefined;
}

/** The traces of another server. It is asked when a page asks. */
export class RemoteTraces {
  /** Without credentials. */
  readonly url: string;
  readonly #detect: () => Promise<RemoteSource>;
  #source: Promise<RemoteSource> | undefined;
  #kind: RemoteSource["kind"] | undefined;
  /** A trace that the other server returns has Zipkin's span ids separated, as those of the store. */
  readonly #kept: TraceStore;
  readonly #fetchedAt = new Map<string, number>();

  /**
   * @param limits limits of the traces that are kept
   * @throws TypeError if the URL is invalid
   */
  constructor(options: RemoteOptions, limits: StoreLimits = KEPT) {
    this.#kept = new TraceStore(limits);
    const client = remoteClient(options);
    const { origin, pathname } = new URL(options.url);
    this.url = origin + pathname.replace(/\/$/, "");
    this.#detect = () => detectSource(client);
  }

  /** Detects the kind of the server once it answers. */
  #connect(): Promise<RemoteSource> {
    const source = (this.#source ??= this.#detect());
    source.then(
      ({ kind }) => (this.#kind = kind),
      () => (this.#source = undefined),
    );
    return source;
  }

  /** The kind of the server is unknown until it has answered. */
  get server(): RemoteServer {
    if (this.#kind === undefined) this.#connect().catch(() => {});
    return { kind: this.#kind, url: this.url };
  }

  async services(): Promise<string[]> {
    return (await this.#connect()).services();
  }

  async search(query: TraceQuery): Promise<TraceSummary[]> {
    return (await this.#connect()).search(query);
  }

  async trace(traceId: string): Promise<ViewedSpan[] | undefined> {
    const at = this.#fetchedAt.get(traceId);
    if (at === undefined || performance.now() - at > KEEP || this.#kept.state(traceId) === undefined) {
      const spans = await (await this.#connect()).trace(traceId);
      if (spans === undefined) return undefined;
      this.#keep([traceId], spans);
    }
    const spans = this.#kept.trace(traceId);
    return spans.length === 0 ? undefined : spans;
  }

  #keep(traceIds: readonly string[], spans: readonly ViewedSpan[]): void {
    this.#kept.add(spans);
    for (const traceId of traceIds) {
      this.#fetchedAt.set(traceId, performance.now());
      if (this.#fetchedAt.size > 1000) this.#fetchedAt.delete(this.#fetchedAt.keys().next().value!);
    }
  }

  /**
   * Searches for traces with deadlines and reads them. Traces that cannot be read are counted.
   *
   * @param services the services of the server, which tell a route's service from its name
   * @param signal stops reading
   * @throws HttpError if the search fails, or no found trace can be read
   */
  async findDeadlines(
    { route, limit: given = DEFAULT_FOUND, ...query }: RemoteDeadlineQuery,
    services: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadTraces> {
    const limit = Math.max(1, Math.min(given, MAX_FOUND));
    const source = await this.#connect();
    const root = route === undefined ? undefined : rootOf(route, services);
    const { traceIds, spans } = await source.findDeadlines({ ...query, limit, root });
    if (spans !== undefined) this.#keep(traceIds, spans);
    const traces: ViewedSpan[][] = [];
    let [unread, size] = [0, 0];
    let reason: string | undefined;
    const stop = AbortSignal.any([signal, AbortSignal.timeout(REPORT_TIME)]);
    const read = async (traceId: string): Promise<void> => {
      try {
        if (stop.aborted) throw new Error(`the time of ${REPORT_TIME / 1000} s for all traces has passed`);
        if (size >= REPORT_SPANS) throw new Error(`all traces have more than ${REPORT_SPANS} spans together`);
        const trace = await this.trace(traceId);
        if (trace === undefined) throw new Error(`${this.url} does not have the trace that its search found`);
        traces.push(trace);
        size += trace.length;
      } catch (error) {
        unread += 1;
        reason ??= (error as Error).message;
      }
    };
    const waiting = [...new Set(traceIds)].values();
    // The workers take the ids from the same iterator.
    await Promise.all(
      Array.from({ length: CONCURRENCY }, async () => {
        for (const traceId of waiting) await read(traceId);
      }),
    );
    if (traces.length === 0 && reason !== undefined) throw new HttpError(502, reason);
    return { traces, found: traces.length + unread, limit, unread, reason };
  }
}

/** Splits a route at the name of a service, which may contain spaces. Returns `undefined` if none is known. */
function rootOf(route: string, services: readonly string[]): { service: string; name: string } | undefined {
  const known = services.filter((service) => route.startsWith(`${service} `)).sort((a, b) => b.length - a.length)[0];
  return known === undefined ? undefined : { service: known, name: route.slice(known.length + 1) };
}

/** Finds out whether a server is Tempo or Jaeger: only Jaeger has `/api/v3/services`. */
async function detectSource(client: RemoteClient): Promise<RemoteSource> {
  const services = (await client.json("/api/v3/services").catch((error: unknown) => {
    // Tempo behind a gateway may answer unknown paths with another status than 404, and with text.
    if (error instanceof HttpError && /it answered 5|: (?:connect|fetch|getaddrinfo)|timeout/.test(error.message)) {
      throw error;
    }
    return undefined;
  })) as { services?: unknown } | undefined;
  return Array.isArray(services?.services) ? jaegerSource(client) : tempoSource(client);
}
