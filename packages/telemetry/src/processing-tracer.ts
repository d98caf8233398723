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

/** A span of an SDK, which span processors receive. */
type SdkSpan = Parameters<SpanProcessor["onStart"]>[0] & Parameters<SpanProcessor["onEnd"]>[0];

/** A provider of an SDK. */
interface StoppableProvider extends TracerProvider {
  forceFlush?(): Promise<void>;
  shutdown?(): Promise<void>;
}

/**
 * A tracer provider that calls span processors in addition to those of the provider that it wraps, whether that was
 * configured by options, variables or a file. An SDK cannot do it: it takes either all of its processors or none.
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

  /** Calls all of them, then throws the first error, if any. */
  async #all(method: "forceFlush" | "shutdown"): Promise<void> {
    const all: readonly Pick<StoppableProvider, typeof method>[] = [this.#inner, ...this.#processors];
    const settled = await Promise.allSettled(all.map(async (each) => each[method]?.()));
    for (const each of settled) if (each.status === "rejected") throw each.reason;
  }
}

type ActiveSpanArguments<F> =
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
      // The span has ended: the SDK logs a warning.
      if (!span.isRecording()) return end(time);
      for (const each of processors) each.onEnding?.(span);
      end(time);
      for (const each of processors) each.onEnd(span);
    };
    span.end = ending;
    return span;
  }

  startActiveSpan<F extends (span: Span) => ReturnType<F>>(
    name: string,
    ...rest: ActiveSpanArguments<F>
  ): ReturnType<F> {
    const fn = rest.at(-1) as F;
    const options = rest.length > 1 ? (rest[0] as SpanOptions | undefined) : undefined;
    const parent = (rest.length > 2 ? (rest[1] as OtelContext | undefined) : undefined) ?? context.active();
    const span = this.startSpan(name, options, parent);
    return context.with(trace.setSpan(parent, span), fn, undefined, span);
  }
}
