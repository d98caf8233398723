import { trace } from "@opentelemetry/api";
import { type ReadableSpan, type SpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

/** Counts the server's requests by kind and by `throughline.ended_by`, from its spans. */
export class EndCounter implements SpanProcessor {
  /** Requests that have arrived and requests that have ended. */
  started = 0;
  ended = 0;
  readonly #counts: Record<string, Record<string, number>> = {};

  /** By the index of the kind, then by `throughline.ended_by`. */
  get counts(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return this.#counts;
  }

  static register(): EndCounter {
    const counter = new EndCounter();
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [counter] }));
    return counter;
  }

  onStart(): void {
    this.started += 1;
  }

  onEnd({ attributes }: ReadableSpan): void {
    this.ended += 1;
    const kind = String(attributes["url.query"]).replace("kind=", "");
    const endedBy = String(attributes["throughline.ended_by"]);
    const counts = (this.#counts[kind] ??= {});
    counts[endedBy] = (counts[endedBy] ?? 0) + 1;
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}
