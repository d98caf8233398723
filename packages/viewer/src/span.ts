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
  readonly end: number;
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
}

export interface SpanEvent {
  readonly name: string;
  readonly time: number;
  readonly attributes: Attributes;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
}

export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";
export type Attributes = Readonly<Record<string, AttributeValue>>;
export type AttributeValue = string | number | boolean | readonly AttributeValue[];
