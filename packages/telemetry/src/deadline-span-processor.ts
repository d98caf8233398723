import { type Context as OtelContext, context, type Span } from "@opentelemetry/api";
import { type Context, type ContextError, DeadlineExceeded, isContext } from "@throughline/context";
import { hasDeadline } from "@throughline/context/internal";

const BUDGET = "throughline.deadline.budget_ms";
const REMAINING = "throughline.deadline.remaining_ms";
const ENDED_BY = "throughline.ended_by";

/** What SDKs' spans have besides what the API says. */
type RecordedSpan = Span & { readonly attributes?: Readonly<Record<string, unknown>> };

/** The contexts of spans that are open. */
const contexts = new WeakMap<Span, Context>();

/**
 * Tells, of every span under a Context, what was left of the deadline when it started and when it ended, and who ended the context if
 * that was before the span: `deadline`, `client`, `response`, `cancel`. `startTelemetry` has it already; it is for an SDK that you set up yourself,
 * 3.x or 2.x: `spanProcessors: [new DeadlineSpanProcessor(), ...]`.
 *
 * What a span says of itself stays as it is. Needs an SDK that calls `onEnding`: 2.x from 2.2, 3.x.
 */
export class DeadlineSpanProcessor {
  onStart(span: Span, parent: OtelContext = context.active()): void {
    if (!isContext(parent) || !span.isRecording()) return;
    contexts.set(span, parent);
    if (hasDeadline(parent)) tell(span, BUDGET, Math.floor(parent.remaining()));
  }

  onEnding(span: Span): void {
    const ctx = contexts.get(span);
    if (ctx === undefined) return;
    contexts.delete(span);
    if (hasDeadline(ctx)) tell(span, REMAINING, Math.floor(ctx.remaining()));
    const error = ctx.err();
    if (error !== undefined) tell(span, ENDED_BY, enderOf(error));
  }

  onEnd(): void {}

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

function tell(span: RecordedSpan, name: string, value: string | number): void {
  if (span.attributes?.[name] === undefined) span.setAttribute(name, value);
}

/** By the names of the causes: what ends requests is not among the packages that this one stands on. */
function enderOf(error: ContextError): string {
  if (error instanceof DeadlineExceeded) return "deadline";
  const { cause } = error;
  if (cause instanceof DeadlineExceeded) return "deadline";
  const name = cause instanceof Error ? cause.name : "";
  return name === "ClientDisconnected" ? "client" : name === "ResponseSent" ? "response" : "cancel";
}
