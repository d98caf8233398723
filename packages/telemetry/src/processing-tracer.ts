import {
  type Context as OtelContext,
  context,
  type Span,
  type SpanOptions,
  trace,
  type Tracer,
  type TracerOptions,
  type TracerProvider,
} from "@opentelemetry/api";
import type { NodeSDKConfiguration } from "@opentelemetry/sdk-node";

export type SpanProcessor = NonNullable<NodeSDKConfiguration["spanProcessors"]>[number];

/** What processors are given: spans of an SDK have more than those of the API. */
type SdkSpan = Parameters<SpanProcessor["onStart"]>[0] & Parameters<SpanProcessor["onEnd"]>[0];

/** As an SDK's providers are. */
interface StoppableProvider extends TracerProvider {
  forceFlush?(): Promise<void>;
  shutdown?(): Promise<void>;
}

/**
 * A provider of tracers that calls span processors besides those of the provider that it wraps, whatever has set that one up: options, variables,
 * a file. (An SDK is given either all of its processors or none.)
 */
export class ProcessingTracerProvider implements TracerProvider {
  readonly #inner: StoppableProvider;
  readonly #processors: readonly SpanProcessor[];

  constructor(inner: StoppableProvider, processors: readonly SpanProcessor[]) {
    this.#inner = inner;
    this.#processors = processors;
  }

  getTracer(name: string, version?: string, options?: TracerOptions): Tracer {
    return new ProcessingTracer(this.#inner.getTracer(name, version, options), this.#processors);
  }

  forceFlush(): Promise<void> {
    return this.#all("forceFlush");
  }

  shutdown(): Promise<void> {
    return this.#all("shutdown");
  }

  /** All of them, whichever fails; then the error of the first that did. */
  async #all(what: "forceFlush" | "shutdown"): Promise<void> {
    const all: readonly Pick<StoppableProvider, typeof what>[] = [this.#inner, ...this.#processors];
    const settled = await Promise.allSettled(all.map(async (each) => each[what]?.()));
    for (const each of settled) if (each.status === "rejected") throw each.reason;
  }
}

type Rest<F> =
  | [fn: F]
  | [options: SpanOptions | undefined, fn: F]
  | [options: SpanOptions | undefined, ctx: OtelContext | undefined, fn: F];

class ProcessingTracer implements Tracer {
  readonly #inner: Tracer;
  readonly #processors: readonly SpanProcessor[];

  constructor(inner: Tracer, processors: readonly SpanProcessor[]) {
    this.#inner = inner;
    this.#processors = processors;
  }

  startSpan(name: string, options?: SpanOptions, ctx: OtelContext = context.active()): Span {
    const span = this.#inner.startSpan(name, options, ctx) as SdkSpan;
    if (!span.isRecording()) return span;
    const processors = this.#processors;
    for (const each of processors) each.onStart(span, ctx);
    const end = span.end.bind(span);
    const ending: Span["end"] = (time) => {
      // A second call ends nothing. The SDK warns of it.
      if (!span.isRecording()) return end(time);
      for (const each of processors) each.onEnding?.(span);
      end(time);
      for (const each of processors) each.onEnd(span);
    };
    span.end = ending;
    return span;
  }

  startActiveSpan<F extends (span: Span) => ReturnType<F>>(name: string, ...rest: Rest<F>): ReturnType<F> {
    const fn = rest.at(-1) as F;
    const options = rest.length > 1 ? (rest[0] as SpanOptions | undefined) : undefined;
    const parent = (rest.length > 2 ? (rest[1] as OtelContext | undefined) : undefined) ?? context.active();
    const span = this.startSpan(name, options, parent);
    return context.with(trace.setSpan(parent, span), fn, undefined, span);
  }
}
