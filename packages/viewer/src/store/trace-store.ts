import type { TraceSummary } from "../api.ts";
import type { ViewedSpan } from "../span.ts";
import { Resources } from "./resources.ts";
import { childOfServer, idOfServer, isOtherSide, isSeparated } from "./shared-span-ids.ts";
import { spanBytes } from "./span-bytes.ts";
import { summarize } from "./trace-summary.ts";

export interface StoreLimits {
  /** Maximum number of spans. A single trace may have half of them. @default 100,000 */
  readonly maxSpans?: number;
  /** Maximum memory of the spans in bytes, as estimated. A single trace may have half of it. @default 256 MiB */
  readonly maxBytes?: number;
}

/** Is notified synchronously when the store adds or drops spans. */
export interface StoreObserver {
  /** Called with the spans as they are stored. */
  added(spans: readonly ViewedSpan[]): void;
  /** Called for each trace that the store drops to stay within its limits. */
  dropped(traceId: string): void;
  /** Called for each span that the store drops while it keeps the trace. */
  droppedSpan?(span: ViewedSpan): void;
}

/** The spans of a trace that have arrived so far. */
interface StoredTrace {
  readonly spans: Map<string, ViewedSpan>;
  bytes: number;
  /** Number of spans of the trace that the store has dropped. */
  dropped: number;
  /** Changes with every span that arrives. */
  revision: number;
  /** Ids that a CLIENT span and a SERVER span have in common; `undefined` if there are none. */
  shared: Set<string> | undefined;
  /** Computed on demand, and discarded when another span arrives. */
  summary: TraceSummary | undefined;
}

/** Number of dropped traces to remember, so that their later spans are marked as a part. */
const MAX_REMEMBERED = 10_000;

/**
 * Keeps traces in memory. Above its limits it drops the trace that arrived first. A trace above its own limits loses
 * its newest spans, but not its roots.
 */
export class TraceStore {
  readonly #traces = new Map<string, StoredTrace>();
  readonly #observers: StoreObserver[] = [];
  readonly #resources = new Resources();
  /** Number of spans of traces that were dropped, by trace id, oldest first. */
  readonly #remembered = new Map<string, number>();
  readonly #maxSpans: number;
  readonly #maxBytes: number;
  #spans = 0;
  #bytes = 0;
  #dropped = 0;
  #revision = 0;

  /** @throws RangeError if a limit is not a number above 0 */
  constructor({ maxSpans = 100_000, maxBytes = 256 * 1024 * 1024 }: StoreLimits = {}) {
    for (const [name, value] of Object.entries({ maxSpans, maxBytes })) {
      if (!(value > 0)) {
        throw new RangeError(`Cannot create a trace store: '${name}' must be a number above 0; received ${value}`);
      }
    }
    this.#maxSpans = maxSpans;
    this.#maxBytes = maxBytes;
  }

  observe(observer: StoreObserver): void {
    this.#observers.push(observer);
  }

  /**
   * Adds spans and takes ownership of them: their resources are replaced by shared objects. A span that arrives again,
   * as after a retry of its export, replaces the first.
   *
   * @returns the number of spans that were dropped because their traces are at their limits
   */
  add(spans: readonly ViewedSpan[]): number {
    const stored: ViewedSpan[] = [];
    for (const span of spans) {
      const added = this.#add(span);
      if (added !== undefined) stored.push(added);
    }
    for (const observer of this.#observers) observer.added(stored);
    while (this.#spans > this.#maxSpans || this.#bytes > this.#maxBytes) this.#dropOldest();
    return spans.length - stored.length;
  }

  #add(given: ViewedSpan): ViewedSpan | undefined {
    let trace = this.#traces.get(given.traceId);
    if (trace === undefined) this.#traces.set(given.traceId, (trace = this.#newTrace(given.traceId)));
    const span = this.#separate(trace, given);
    const before = trace.spans.get(span.spanId);
    const bytes = spanBytes(span);
    trace.summary = undefined;
    trace.revision = ++this.#revision;
    if (before !== undefined) this.#remove(trace, before);
    if (!this.#hasRoom(trace, span, bytes)) {
      trace.dropped += 1;
      this.#dropped += 1;
      if (trace.spans.size === 0) this.#forget(given.traceId, trace);
      return undefined;
    }
    this.#insert(trace, span, bytes);
    return span;
  }

  #newTrace(traceId: string): StoredTrace {
    const dropped = this.#remembered.get(traceId) ?? 0;
    return { spans: new Map(), bytes: 0, dropped, revision: 0, shared: undefined, summary: undefined };
  }

  /** Drops other spans of the trace for a root span. */
  #hasRoom(trace: StoredTrace, span: ViewedSpan, bytes: number): boolean {
    const [maxSpans, maxBytes] = [Math.ceil(this.#maxSpans / 2), this.#maxBytes / 2];
    const isFull = (): boolean => trace.spans.size >= maxSpans || trace.bytes + bytes > maxBytes;
    if (!isFull()) return true;
    if (span.parentSpanId !== undefined || bytes > maxBytes) return false;
    for (const other of [...trace.spans.values()].reverse()) {
      if (other.parentSpanId === undefined) continue;
      this.#remove(trace, other);
      trace.dropped += 1;
      this.#dropped += 1;
      for (const observer of this.#observers) observer.droppedSpan?.(other);
      if (!isFull()) return true;
    }
    return false;
  }

  /** Gives the SERVER span its own id if a CLIENT span has the same, as in Zipkin. */
  #separate(trace: StoredTrace, span: ViewedSpan): ViewedSpan {
    const other = trace.spans.get(span.spanId);
    if (isSeparated(span)) {
      (trace.shared ??= new Set()).add(span.parentSpanId!);
      return span;
    }
    if (trace.shared?.has(span.spanId) === true) {
      return span.kind === "server" || span.kind === "consumer" ? idOfServer(span) : span;
    }
    if (other === undefined || !isOtherSide(other, span)) return span;
    (trace.shared ??= new Set()).add(span.spanId);
    if (span.kind === "server" || span.kind === "consumer") return idOfServer(span);
    this.#remove(trace, other);
    for (const observer of this.#observers) observer.droppedSpan?.(other);
    const server = idOfServer(other);
    this.#insert(trace, server, spanBytes(server));
    for (const observer of this.#observers) observer.added([server]);
    return span;
  }

  #insert(trace: StoredTrace, span: ViewedSpan, bytes: number): void {
    this.#bytes += this.#resources.acquire(span) + bytes;
    trace.bytes += bytes;
    trace.spans.set(span.spanId, span);
    this.#spans += 1;
  }

  #remove(trace: StoredTrace, span: ViewedSpan): void {
    const bytes = spanBytes(span);
    trace.spans.delete(span.spanId);
    trace.bytes -= bytes;
    this.#bytes -= bytes + this.#resources.release(span);
    this.#spans -= 1;
  }

  #dropOldest(): void {
    const [id, trace] = this.#traces.entries().next().value!;
    this.#spans -= trace.spans.size;
    this.#bytes -= trace.bytes;
    for (const span of trace.spans.values()) this.#bytes -= this.#resources.release(span);
    this.#dropped += trace.spans.size;
    trace.dropped += trace.spans.size;
    this.#forget(id, trace);
    for (const observer of this.#observers) observer.dropped(id);
  }

  /** Removes a trace, and remembers the number of its spans in case that more arrive. */
  #forget(traceId: string, trace: StoredTrace): void {
    this.#traces.delete(traceId);
    this.#remembered.delete(traceId);
    this.#remembered.set(traceId, trace.dropped);
    if (this.#remembered.size > MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!);
  }

  /** Returns the spans of a trace that have arrived so far, sorted by start. */
  trace(traceId: string): ViewedSpan[] {
    const trace = this.#traces.get(traceId);
    if (trace === undefined) return [];
    return [...separated(trace).values()].sort((a, b) => a.start - b.start);
  }

  /** Returns a number that changes with every span of the trace, and the number of its spans that were dropped. */
  state(traceId: string): { readonly revision: number; readonly dropped: number } | undefined {
    return this.#traces.get(traceId);
  }

  /** Summaries of all traces, newest first. */
  *summaries(): Generator<TraceSummary> {
    for (const trace of [...this.#traces.values()].reverse()) {
      yield (trace.summary ??= summarize([...separated(trace).values()], trace.dropped));
    }
  }

  /** Returns whether any span of the trace satisfies the predicate. */
  has(traceId: string, predicate: (span: ViewedSpan) => boolean): boolean {
    for (const span of this.#traces.get(traceId)?.spans.values() ?? []) if (predicate(span)) return true;
    return false;
  }

  /** The spans of each trace by span id, oldest trace first. */
  *traces(): Generator<ReadonlyMap<string, ViewedSpan>> {
    for (const trace of this.#traces.values()) yield separated(trace);
  }

  get size(): { readonly traces: number; readonly spans: number; readonly bytes: number } {
    return { traces: this.#traces.size, spans: this.#spans, bytes: this.#bytes };
  }

  /** Number of spans dropped so far to stay within the limits. */
  get dropped(): number {
    return this.#dropped;
  }
}

/** Returns the spans by id, with the children of SERVER spans that share an id below these. */
function separated({ spans, shared }: StoredTrace): ReadonlyMap<string, ViewedSpan> {
  if (shared === undefined) return spans;
  const all = new Map(spans);
  for (const span of spans.values()) {
    if (span.parentSpanId !== undefined && shared.has(span.parentSpanId))
      all.set(span.spanId, childOfServer(span, all));
  }
  return all;
}
