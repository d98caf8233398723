/** A span as OTLP tells of it. */
export interface ViewedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since the epoch, with fractions: to a quarter of a microsecond. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
  readonly failed: boolean;
  /** What the status says, where it says anything. */
  readonly statusMessage?: string;
  readonly events?: readonly SpanEvent[];
  readonly links?: readonly SpanLink[];
  /** One object for all the spans of a batch. */
  readonly resource?: Attributes;
  /** Name of the library that made the span. */
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
