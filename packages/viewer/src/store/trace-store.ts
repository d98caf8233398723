import type { TraceSummary } from "../api.ts";
import type { ViewedSpan } from "../span.ts";
import { Resources } from "./resources.ts";
import { spanBytes } from "./span-bytes.ts";
import { summarize } from "./trace-summary.ts";

export interface StoreLimits {
  /** @default 100,000 */
  readonly maxSpans?: number;
  /** Bytes that spans take in memory, as estimated. @default 256 MiB */
  readonly maxBytes?: number;
}

/** What is told of what the store does. */
export interface StoreObserver {
  added(spans: readonly ViewedSpan[]): void;
  dropped(traceId: string): void;
}

/** A trace as far as it has come. */
interface StoredTrace {
  readonly spans: Map<string, ViewedSpan>;
  bytes: number;
  /** Until another span comes. */
  summary: TraceSummary | undefined;
}

/** Traces in memory, up to a number of spans and of bytes; past that the trace that came first leaves. */
export class TraceStore {
  readonly #traces = new Map<string, StoredTrace>();
  readonly #observers: StoreObserver[] = [];
  readonly #resources = new Resources();
  readonly #maxSpans: number;
  readonly #maxBytes: number;
  #spans = 0;
  #bytes = 0;
  #dropped = 0;

  /** @throws RangeError if a limit is no number above 0 */
  constructor({ maxSpans = 100_000, maxBytes = 256 * 1024 * 1024 }: StoreLimits = {}) {
    for (const [name, value] of Object.entries({ maxSpans, maxBytes })) {
      if (!(value > 0)) {
        throw new RangeError(`Cannot make a store: '${name}' must be a number above 0; received ${value}`);
      }
    }
    this.#maxSpans = maxSpans;
    this.#maxBytes = maxBytes;
  }

  observe(observer: StoreObserver): void {
    this.#observers.push(observer);
  }

  /** Takes the spans over, their resources too: equal ones become one. A span that comes again, as after a retry of its export, replaces itself. */
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
    this.#bytes += this.#resources.share(span) - (before === undefined ? 0 : this.#resources.leave(before));
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
    for (const span of trace.spans.values()) this.#bytes -= this.#resources.leave(span);
    this.#dropped += trace.spans.size;
    for (const observer of this.#observers) observer.dropped(id);
  }

  /** The spans of a trace that have come so far, by their start. */
  trace(traceId: string): ViewedSpan[] {
    return [...(this.#traces.get(traceId)?.spans.values() ?? [])].sort((a, b) => a.start - b.start);
  }

  /** Every trace in short, the one that came last first. */
  *summaries(): Generator<TraceSummary> {
    for (const trace of [...this.#traces.values()].reverse()) {
      yield (trace.summary ??= summarize([...trace.spans.values()]));
    }
  }

  /** Whether any span of the trace is wanted. */
  has(traceId: string, wanted: (span: ViewedSpan) => boolean): boolean {
    for (const span of this.#traces.get(traceId)?.spans.values() ?? []) if (wanted(span)) return true;
    return false;
  }

  /** One trace after the other. */
  *traces(): Generator<ReadonlyMap<string, ViewedSpan>> {
    for (const trace of this.#traces.values()) yield trace.spans;
  }

  get size(): { readonly traces: number; readonly spans: number; readonly bytes: number } {
    return { traces: this.#traces.size, spans: this.#spans, bytes: this.#bytes };
  }

  /** Spans that have left to make room. */
  get dropped(): number {
    return this.#dropped;
  }
}
