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

import { DeadlineSpanProcessor } from "./deadline-span-processor.ts";

/** As an SDK's providers are. */
interface StoppableProvider extends TracerProvider {
  forceFlush?(): Promise<void>;
  shutdown?(): Promise<void>;
}

/**
 * A provider of tracers whose spans tell of their deadlines, whatever has set the other one up: options, variables, a file. (An SDK takes
 * processors only from whoever names all of them.)
 */
export class DeadlineTracerProvider implements TracerProvider {
  readonly #inner: StoppableProvider;
  readonly #processor = new DeadlineSpanProcessor();

  constructor(inner: StoppableProvider) {
    this.#inner = inner;
  }

  getTracer(name: string, version?: string, options?: TracerOptions): Tracer {
    return new DeadlineTracer(this.#inner.getTracer(name, version, options), this.#processor);
  }

  async forceFlush(): Promise<void> {
    await this.#inner.forceFlush?.();
  }

  async shutdown(): Promise<void> {
    await this.#inner.shutdown?.();
  }
}

type Rest<F> =
  | [fn: F]
  | [options: SpanOptions | undefined, fn: F]
  | [options: SpanOptions | undefined, ctx: OtelContext | undefined, fn: F];

class DeadlineTracer implements Tracer {
  readonly #inner: Tracer;
  readonly #processor: DeadlineSpanProcessor;

  constructor(inner: Tracer, processor: DeadlineSpanProcessor) {
    this.#inner = inner;
    this.#processor = processor;
  }

  startSpan(name: string, options?: SpanOptions, ctx: OtelContext = context.active()): Span {
    const span = this.#inner.startSpan(name, options, ctx);
    if (!span.isRecording()) return span;
    this.#processor.onStart(span, ctx);
    const end = span.end.bind(span);
    const ending: Span["end"] = (time) => {
      this.#processor.onEnding(span);
      end(time);
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
