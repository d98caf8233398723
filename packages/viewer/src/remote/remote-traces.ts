import type { RemoteServer, TraceQuery, TraceSummary } from "../api.ts";
import { HttpError } from "../server/http-error.ts";
import type { ViewedSpan } from "../span.ts";
import { TraceStore } from "../store/trace-store.ts";
import { jaegerSource } from "./jaeger.ts";
import { type RemoteClient, remoteClient, type RemoteOptions, type RemoteSource } from "./remote-client.ts";
import { tempoSource } from "./tempo.ts";

/** Milliseconds for which a fetched trace is kept, so that an open page does not fetch it at every change. */
const KEEP = 60_000;
/** Limits of the traces that are kept. */
const KEPT = { maxSpans: 400_000, maxBytes: 256 * 1024 * 1024 };

/** The traces of another server. It is asked when a page asks. */
export class RemoteTraces {
  /** Without credentials. */
  readonly url: string;
  readonly #detect: () => Promise<RemoteSource>;
  #source: Promise<RemoteSource> | undefined;
  #kind: RemoteSource["kind"] | undefined;
  /** A trace that the other server returns has Zipkin's span ids separated, as those of the store. */
  readonly #kept = new TraceStore(KEPT);
  readonly #fetchedAt = new Map<string, number>();

  /** @throws TypeError if the URL is invalid */
  constructor(options: RemoteOptions) {
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
    if (at === undefined || performance.now() - at > KEEP) {
      const spans = await (await this.#connect()).trace(traceId);
      if (spans === undefined) return undefined;
      this.#kept.add(spans);
      this.#fetchedAt.set(traceId, performance.now());
      if (this.#fetchedAt.size > 1000) this.#fetchedAt.delete(this.#fetchedAt.keys().next().value!);
    }
    const spans = this.#kept.trace(traceId);
    return spans.length === 0 ? undefined : spans;
  }
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
