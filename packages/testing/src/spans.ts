import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";

import {
  type Attributes,
  context as otelContext,
  type Context as OtelContext,
  type ContextManager,
  type Exception,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { isTracingSuppressed, newTraceId, now, registeredApi } from "@throughline/context/internal";

import type { EndedBy } from "./outcome.ts";

/** A span that was started while spans were recorded. */
export class RecordedSpan implements Span {
  name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes = {};
  readonly events: { readonly name: string; readonly attributes: Attributes }[] = [];
  readonly links: Link[] = [];
  status: SpanStatus = { code: SpanStatusCode.UNSET };
  readonly parentSpanId: string | undefined;
  readonly #context: SpanContext;
  readonly #startedAt = now();
  #endedAt: number | undefined;

  constructor(name: string, options: SpanOptions, parent: SpanContext | undefined) {
    this.name = name;
    this.kind = options.kind ?? SpanKind.INTERNAL;
    this.parentSpanId = parent?.spanId;
    this.#context = {
      traceId: parent?.traceId ?? newTraceId(),
      spanId: `${randomBytes(7).toString("hex")}01`,
      traceFlags: 1,
      ...(parent?.traceState === undefined ? undefined : { traceState: parent.traceState }),
    };
    this.setAttributes(options.attributes ?? {});
    this.addLinks(options.links ?? []);
  }

  get traceId(): string {
    return this.#context.traceId;
  }

  get spanId(): string {
    return this.#context.spanId;
  }

  get hasEnded(): boolean {
    return this.#endedAt !== undefined;
  }

  /** Milliseconds on the test clock if one is running; `undefined` before the end. */
  get duration(): number | undefined {
    return this.#endedAt === undefined ? undefined : this.#endedAt - this.#startedAt;
  }

  /** The attribute `throughline.ended_by`. */
  get endedBy(): EndedBy | undefined {
    return this.attributes["throughline.ended_by"] as EndedBy | undefined;
  }

  /** Milliseconds left when the request arrived or was sent: the attribute `throughline.deadline.budget_ms`. */
  get budget(): number | undefined {
    return this.attributes["throughline.deadline.budget_ms"] as number | undefined;
  }

  /** What set the deadline: the attribute `throughline.deadline.source`. */
  get source(): string | undefined {
    return this.attributes["throughline.deadline.source"] as string | undefined;
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  setAttribute(key: string, value: Attributes[string]): this {
    if (this.isRecording() && value !== undefined) this.attributes[key] = value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const [key, value] of Object.entries(attributes)) this.setAttribute(key, value);
    return this;
  }

  addEvent(name: string, attributes?: Attributes | TimeInput): this {
    const isTime =
      typeof attributes === "number" || Array.isArray(attributes) || attributes instanceof Date || attributes == null;
    if (this.isRecording()) this.events.push({ name, attributes: isTime ? {} : (attributes as Attributes) });
    return this;
  }

  addLink(link: Link): this {
    this.links.push(link);
    return this;
  }

  addLinks(links: Link[]): this {
    this.links.push(...links);
    return this;
  }

  setStatus(status: SpanStatus): this {
    if (this.isRecording()) this.status = status;
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.name = name;
    return this;
  }

  recordException(exception: Exception): void {
    const message = typeof exception === "string" ? exception : (exception.message ?? "");
    this.addEvent("exception", { "exception.message": message });
  }

  end(): void {
    this.#endedAt ??= now();
  }

  isRecording(): boolean {
    return !this.hasEnded;
  }
}

/** The spans that were started since `recordSpans`. */
export interface RecordedSpans extends Disposable {
  /** In the order in which they were started. */
  readonly all: readonly RecordedSpan[];
  /** Returns the spans of this name. */
  named(name: string): RecordedSpan[];
  /** Returns the SERVER spans: one for each request that was received. */
  readonly server: RecordedSpan[];
  /** Returns the CLIENT spans: one for each attempt to send a request. */
  readonly client: RecordedSpan[];
  /** Forgets the spans so far. */
  clear(): void;
  /** Stops recording. A second call does nothing. */
  stop(): void;
}

/**
 * Records all spans of the process in memory, until `stop`. It needs no SDK.
 *
 * @throws Error if a tracer provider is registered, as that of an SDK
 */
export function recordSpans(): RecordedSpans {
  const all: RecordedSpan[] = [];
  const tracer = tracerInto(all);
  if (registeredApi().trace !== undefined || !trace.setGlobalTracerProvider({ getTracer: () => tracer })) {
    throw new Error(
      "Cannot record spans: a tracer provider is registered already; stop the earlier recording, or use the SDK's own InMemorySpanExporter",
    );
  }
  const hasManager = registeredApi().context === undefined && otelContext.setGlobalContextManager(new StorageManager());
  let isStopped = false;
  const ofKind = (kind: SpanKind): RecordedSpan[] => all.filter((span) => span.kind === kind);
  const stop = (): void => {
    if (isStopped) return;
    isStopped = true;
    trace.disable();
    if (hasManager) otelContext.disable();
  };
  return {
    all,
    named: (name) => all.filter((span) => span.name === name),
    get server() {
      return ofKind(SpanKind.SERVER);
    },
    get client() {
      return ofKind(SpanKind.CLIENT);
    },
    clear: () => void all.splice(0),
    stop,
    [Symbol.dispose]: stop,
  };
}

function tracerInto(all: RecordedSpan[]): Tracer {
  function startSpan(name: string, options: SpanOptions = {}, ctx: OtelContext = otelContext.active()): Span {
    if (isTracingSuppressed(ctx)) return trace.wrapSpanContext({ traceId: "", spanId: "", traceFlags: 0 });
    const span = new RecordedSpan(name, options, options.root === true ? undefined : trace.getSpanContext(ctx));
    all.push(span);
    return span;
  }
  /** Its last argument is the function; options and a context may come before it. */
  function startActiveSpan(name: string, ...args: unknown[]): unknown {
    const fn = args.at(-1) as (span: Span) => unknown;
    const options = args.length > 1 ? (args[0] as SpanOptions) : {};
    const ctx = args.length > 2 ? (args[1] as OtelContext) : otelContext.active();
    const span = startSpan(name, options, ctx);
    return otelContext.with(trace.setSpan(ctx, span), fn, undefined, span);
  }
  return { startSpan, startActiveSpan: startActiveSpan as Tracer["startActiveSpan"] };
}

/** Carries OpenTelemetry's active context, as the context manager of the SDK does. */
class StorageManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<OtelContext>();

  active(): OtelContext {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    ctx: OtelContext,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(ctx, () => fn.apply(thisArg, args));
  }

  bind<T>(ctx: OtelContext, target: T): T {
    if (typeof target !== "function") return target;
    const fn = target as unknown as (...args: unknown[]) => unknown;
    const storage = this.#storage;
    return function bound(this: unknown, ...args: unknown[]) {
      return storage.run(ctx, () => fn.apply(this, args));
    } as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}
