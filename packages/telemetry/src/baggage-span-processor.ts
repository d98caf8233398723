import { type Context as OtelContext, context, propagation, type Span } from "@opentelemetry/api";

/** What SDKs' spans have besides what the API says. */
type RecordedSpan = Span & { readonly attributes?: Readonly<Record<string, unknown>> };

/**
 * Copies the listed entries of OpenTelemetry's baggage onto each span that starts under it, as attributes of the same name. Baggage comes from
 * callers, so that nothing is copied which is not listed, and an attribute that a span was started with stays.
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
