import { type Context as OtelContext, context, type Span } from "@opentelemetry/api";
import { type Context, type ContextError, DeadlineExceeded, isContext } from "@throughline/context";
import { hasDeadline } from "@throughline/context/internal";

const BUDGET = "throughline.deadline.budget_ms";
/** Milliseconds left at the end of the span, recorded by `DeadlineSpanProcessor`. */
const REMAINING = "throughline.deadline.remaining_ms";
const ENDED_BY = "throughline.ended_by";

/** A span of an SDK. Its attributes are not part of the API. */
type RecordedSpan = Span & { readonly attributes?: Readonly<Record<string, unknown>> };

/** The contexts of open spans. */
const contexts = new WeakMap<Span, Context>();

/**
 * Records the deadline of each span that is started under a Context: `throughline.deadline.budget_ms` is the time left
 * at the start of the span, `throughline.deadline.remaining_ms` the time left at its end, both in milliseconds. If the
 * context ended before the span, `throughline.ended_by` is the reason: `deadline`, `client`, `response` or `cancel`.
 * Attributes that the span has already are kept.
 *
 * `startTelemetry` adds it. Use it with an SDK that you configure yourself: `spanProcessors: [new
 * DeadlineSpanProcessor(), ...]`. The SDK must call `onEnding`: version 2.2 or later of 2.x, or 3.x.
 */
export class DeadlineSpanProcessor {
  onStart(span: Span, parent: OtelContext = context.active()): void {
    if (!isContext(parent) || !span.isRecording()) return;
    contexts.set(span, parent);
    if (hasDeadline(parent)) setIfAbsent(span, BUDGET, Math.floor(parent.remaining()));
  }

  onEnding(span: Span): void {
    const ctx = contexts.get(span);
    if (ctx === undefined) return;
    contexts.delete(span);
    if (hasDeadline(ctx)) setIfAbsent(span, REMAINING, Math.floor(ctx.remaining()));
    const error = ctx.err();
    if (error !== undefined) setIfAbsent(span, ENDED_BY, reasonOf(error));
  }

  onEnd(): void {}

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

function setIfAbsent(span: RecordedSpan, name: string, value: string | number): void {
  if (span.attributes?.[name] === undefined) span.setAttribute(name, value);
}

/** It compares names of errors, since this package does not depend on the package that defines them. */
function reasonOf(error: ContextError): string {
  if (error instanceof DeadlineExceeded) return "deadline";
  const { cause } = error;
  if (cause instanceof DeadlineExceeded) return "deadline";
  const name = cause instanceof Error ? cause.name : "";
  return name === "ClientDisconnected" ? "client" : name === "ResponseSent" ? "response" : "cancel";
}
