import type { ViewedSpan } from "./span.ts";

/** Traces in memory, up to a number of spans; past that the trace that came first leaves. */
export class TraceStore {
  readonly #traces = new Map<string, Map<string, ViewedSpan>>();
  readonly #most: number;
  #count = 0;

  constructor(most = 100_000) {
    this.#most = most;
  }

  /** A span that comes again, as after a retry of its export, replaces itself. */
  add(spans: Iterable<ViewedSpan>): void {
    for (const span of spans) {
      const trace = this.#traces.get(span.traceId) ?? new Map<string, ViewedSpan>();
      this.#traces.set(span.traceId, trace);
      if (!trace.has(span.spanId)) this.#count += 1;
      trace.set(span.spanId, span);
      if (this.#count > this.#most) this.#dropOldest();
    }
  }

  #dropOldest(): void {
    for (const [id, trace] of this.#traces) {
      this.#traces.delete(id);
      this.#count -= trace.size;
      return;
    }
  }

  /** The spans of a trace that have come so far, by their start. */
  trace(traceId: string): ViewedSpan[] {
    return [...(this.#traces.get(traceId)?.values() ?? [])].sort((a, b) => a.start - b.start);
  }

  get spanCount(): number {
    return this.#count;
  }
}
