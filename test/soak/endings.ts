import { trace } from "@opentelemetry/api";
import { type ReadableSpan, type SpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

/** What the server says of its requests, by its spans: which of their kinds, what ended them, and how often. */
export class Endings implements SpanProcessor {
  /** Requests that have arrived, and those that are over. */
  begun = 0;
  over = 0;
  readonly #counts: Record<string, Record<string, number>> = {};

  /** By the number of the kind, then by what ended it. */
  get counts(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return this.#counts;
  }

  static record(): Endings {
    const endings = new Endings();
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [endings] }));
    return endings;
  }

  onStart(): void {
    this.begun += 1;
  }

  onEnd({ attributes }: ReadableSpan): void {
    this.over += 1;
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
