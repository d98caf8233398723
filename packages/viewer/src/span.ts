/** A span received by OTLP. */
export interface ViewedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since the epoch, with fractions; the resolution is a quarter of a microsecond. */
  readonly start: number;
  /** Equals `start` if the span is not finished. */
  readonly end: number;
  /** Nanoseconds within the millisecond of `start`, if `start` cannot represent them. */
  readonly startNanos?: number;
  readonly endNanos?: number;
  /** Set if the span was sent without an end. */
  readonly isUnfinished?: true;
  readonly attributes: Attributes;
  readonly failed: boolean;
  /** The message of the status, if it has one. */
  readonly statusMessage?: string;
  readonly events?: readonly SpanEvent[];
  readonly links?: readonly SpanLink[];
  /** Spans with equal resources share one object. */
  readonly resource?: Attributes;
  /** Name of the instrumentation scope that created the span. */
  readonly scope?: string;
  readonly scopeVersion?: string;
  readonly scopeAttributes?: Attributes;
}

export interface SpanEvent {
  readonly name: string;
  readonly time: number;
  readonly attributes: Attributes;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes?: Attributes;
}

export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";
export type Attributes = Readonly<Record<string, AttributeValue>>;
export type AttributeValue = string | number | boolean | readonly AttributeValue[];

/** Returns the milliseconds from the start to the end of a span, exact to the nanosecond; negative if it ends first. */
export function durationOf({ start, end, startNanos, endNanos }: ViewedSpan): number {
  if (startNanos === undefined && endNanos === undefined) return end - start;
  const from = startNanos ?? Math.round((start - Math.floor(start)) * 1e6);
  const to = endNanos ?? Math.round((end - Math.floor(end)) * 1e6);
  return Math.round(end - to / 1e6) - Math.round(start - from / 1e6) + (to - from) / 1e6;
}
