import { type Context as OtelContext, context, propagation, type Span } from "@opentelemetry/api";

/** A span of an SDK. Its attributes are not part of the API. */
type RecordedSpan = Span & { readonly attributes?: Readonly<Record<string, unknown>> };

/**
 * Copies the listed entries of OpenTelemetry's baggage onto spans when they start, as attributes of the same name.
 * Baggage comes from callers, so it never replaces an attribute that a span was started with.
 */
export class BaggageSpanProcessor {
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  onStart(span: RecordedSpan, parent: OtelContext = context.active()): void {
    const baggage = propagation.getBaggage(parent);
    if (baggage === undefined) return;
    for (const name of this.#names) {
      const entry = baggage.getEntry(name);
      if (entry !== undefined && span.attributes?.[name] === undefined) span.setAttribute(name, entry.value);
    }
  }

  onEnd(): void {}

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}
