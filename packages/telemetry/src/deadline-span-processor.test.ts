import { context, type Span, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { background, run, withCancel, withTimeout } from "@throughline/context";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { DeadlineSpanProcessor } from "./deadline-span-processor.ts";
import { ProcessingTracerProvider } from "./processing-tracer.ts";

const exporter = new InMemorySpanExporter();
const simple = new SimpleSpanProcessor({ exporter });

/** The processor compares names of errors, since their classes are in another package. */
function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

describe.each([
  ["as a processor of the SDK", () => new TracerProvider({ spanProcessors: [new DeadlineSpanProcessor(), simple] })],
  [
    "in a ProcessingTracerProvider",
    () => new ProcessingTracerProvider(new TracerProvider({ spanProcessors: [simple] }), [new DeadlineSpanProcessor()]),
  ],
])("a span under a Context, %s,", (_name, provider) => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "Date"] });
    exporter.reset();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(provider());
  });
  afterEach(() => {
    vi.useRealTimers();
    trace.disable();
    context.disable();
  });

  const start = (attributes = {}): Span => trace.getTracer("test").startSpan("work", { attributes });
  const recorded = (): object => exporter.getFinishedSpans()[0]!.attributes;

  it("records the time left at its start and its end", () => {
    const [ctx] = withTimeout(background, 1000);
    vi.advanceTimersByTime(100);
    const span = run(ctx, start);
    vi.advanceTimersByTime(250);
    span.end();
    expect(recorded()).toEqual({ "throughline.deadline.budget_ms": 900, "throughline.deadline.remaining_ms": 650 });
  });

  it("records that the deadline passed before it ended", () => {
    const span = run(withTimeout(background, 100)[0], start);
    vi.advanceTimersByTime(150);
    span.end();
    expect(recorded()).toMatchObject({ "throughline.deadline.remaining_ms": 0, "throughline.ended_by": "deadline" });
  });

  it.each([
    ["client", named("ClientDisconnected")],
    ["response", named("ResponseSent")],
    ["cancel", named("Anything")],
    ["cancel", undefined],
  ])("records that its context was ended by: %s", (who, cause) => {
    const [ctx, cancel] = withCancel(background);
    const span = run(ctx, start);
    cancel(cause);
    span.end();
    expect(recorded()).toEqual({ "throughline.ended_by": who });
  });

  it("keeps attributes that it has already", () => {
    const [ctx, cancel] = withTimeout(background, 1000);
    const span = run(ctx, () => start({ "throughline.deadline.budget_ms": 7 }));
    span.setAttribute("throughline.ended_by", "refusal");
    cancel();
    span.end();
    expect(recorded()).toMatchObject({ "throughline.deadline.budget_ms": 7, "throughline.ended_by": "refusal" });
  });

  it("has no attributes without a deadline or an end", () => {
    start().end();
    run(withCancel(background)[0], start).end();
    expect(exporter.getFinishedSpans().map(({ attributes }) => attributes)).toEqual([{}, {}]);
  });

  it("is active in the callback of startActiveSpan, and its children record their deadlines", () => {
    const [ctx] = withTimeout(background, 1000);
    const tracer = trace.getTracer("test");
    const result = run(ctx, () =>
      tracer.startActiveSpan("outer", (outer) => {
        tracer.startActiveSpan("inner", {}, (inner) => inner.end());
        tracer.startActiveSpan("elsewhere", {}, background, (span) => span.end());
        outer.end();
        return "done";
      }),
    );
    expect(result).toBe("done");
    const [inner, elsewhere, outer] = exporter.getFinishedSpans();
    expect(inner!.parentSpanContext?.spanId).toBe(outer!.spanContext().spanId);
    expect(elsewhere!.parentSpanContext).toBeUndefined();
    expect([inner, elsewhere].map((span) => span!.attributes["throughline.deadline.budget_ms"])).toEqual([
      1000,
      undefined,
    ]);
  });
});
