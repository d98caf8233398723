import type { TraceSummary } from "../api.ts";
import type { ViewedSpan } from "../span.ts";
import { Resources } from "./resources.ts";
import { spanBytes } from "./span-bytes.ts";
import { summarize } from "./trace-summary.ts";

export interface StoreLimits {
  /** Maximum number of spans. @default 100,000 */
  readonly maxSpans?: number;
  /** Maximum memory of the spans in bytes, as estimated. @default 256 MiB */
  readonly maxBytes?: number;
}

/** Is notified synchronously when the store adds or drops spans. */
export interface StoreObserver {
  added(spans: readonly ViewedSpan[]): void;
  /** Called for each trace that the store drops to stay within its limits. */
  dropped(traceId: string): void;
}

/** The spans of a trace that have arrived so far. */
interface StoredTrace {
  readonly spans: Map<string, ViewedSpan>;
  bytes: number;
  /** Computed on demand, and discarded when another span arrives. */
  summary: TraceSummary | undefined;
}

/** Keeps traces in memory. Above its limits it drops the trace that arrived first. */
export class TraceStore {
  readonly #traces = new Map<string, StoredTrace>();
  readonly #observers: StoreObserver[] = [];
  readonly #resources = new Resources();
  readonly #maxSpans: number;
  readonly #maxBytes: number;
  #spans = 0;
  #bytes = 0;
  #dropped = 0;

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
   */
  add(spans: readonly ViewedSpan[]): void {
    for (const span of spans) this.#add(span);
    for (const observer of this.#observers) observer.added(spans);
    while (this.#spans > this.#maxSpans || this.#bytes > this.#maxBytes) this.#dropOldest();
  }

  #add(span: ViewedSpan): void {
    let trace = this.#traces.get(span.traceId);
    if (trace === undefined)
      this.#traces.set(span.traceId, (trace = { spans: new Map(), bytes: 0, summary: undefined }));
    const before = trace.spans.get(span.spanId);
    const bytes = spanBytes(span) - (before === undefined ? 0 : spanBytes(before));
    this.#bytes += this.#resources.acquire(span) - (before === undefined ? 0 : this.#resources.release(before));
    trace.spans.set(span.spanId, span);
    trace.summary = undefined;
    trace.bytes += bytes;
    this.#bytes += bytes;
    if (before === undefined) this.#spans += 1;
  }

  #dropOldest(): void {
    const [id, trace] = this.#traces.entries().next().value!;
    this.#traces.delete(id);
    this.#spans -= trace.spans.size;
    this.#bytes -= trace.bytes;
    for (const span of trace.spans.values()) this.#bytes -= this.#resources.release(span);
    this.#dropped += trace.spans.size;
    for (const observer of this.#observers) observer.dropped(id);
  }

  /** Returns the spans of a trace that have arrived so far, sorted by start. */
  trace(traceId: string): ViewedSpan[] {
    return [...(this.#traces.get(traceId)?.spans.values() ?? [])].sort((a, b) => a.start - b.start);
  }

  /** Summaries of all traces, newest first. */
  *summaries(): Generator<TraceSummary> {
    for (const trace of [...this.#traces.values()].reverse()) {
      yield (trace.summary ??= summarize([...trace.spans.values()]));
    }
  }

  /** Returns whether any span of the trace satisfies the predicate. */
  has(traceId: string, predicate: (span: ViewedSpan) => boolean): boolean {
    for (const span of this.#traces.get(traceId)?.spans.values() ?? []) if (predicate(span)) return true;
    return false;
  }

  /** The spans of each trace by span id, oldest trace first. */
  *traces(): Generator<ReadonlyMap<string, ViewedSpan>> {
    for (const trace of this.#traces.values()) yield trace.spans;
  }

  get size(): { readonly traces: number; readonly spans: number; readonly bytes: number } {
    return { traces: this.#traces.size, spans: this.#spans, bytes: this.#bytes };
  }

  /** Number of spans dropped so far to stay within the limits. */
  get dropped(): number {
    return this.#dropped;
  }
}
