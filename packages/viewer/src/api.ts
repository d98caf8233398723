/** What the page asks the server for, and is told: in JSON, under `/api`. */
import type { ViewedSpan } from "./span.ts";

/** A trace in a list. */
export interface TraceSummary {
  readonly traceId: string;
  /** Of the span that everything else hangs on; of the earliest one while that has not come. */
  readonly name: string;
  readonly service: string;
  /** Of all its spans, in the order in which they came in. */
  readonly services: readonly string[];
  /** Milliseconds since the epoch. */
  readonly start: number;
  /** From the start of the first to the end of the last span, in milliseconds. */
  readonly duration: number;
  readonly spans: number;
  /** Whether any span failed. */
  readonly failed: boolean;
  /** HTTP status of the root, where it has one. */
  readonly status?: number | undefined;
  /** What ended the root: `response`, `deadline`, `client`, ... */
  readonly endedBy?: string | undefined;
  /** Milliseconds that the root was given. */
  readonly budget?: number | undefined;
}

/** `GET /api/traces`: query parameters of the same names, all optional. */
export interface TraceQuery {
  /** Any service that has a part in the trace. */
  readonly service?: string | undefined;
  /** `error`, or an HTTP status of the root: `504`, or `5xx` for all of its class. */
  readonly status?: string | undefined;
  readonly endedBy?: string | undefined;
  /** Bounds of the duration, in milliseconds. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Part of a name of a span, or a trace id. */
  readonly text?: string | undefined;
  /** How many at most, newest first. @default 100 */
  readonly limit?: number | undefined;
}

export interface TraceList {
  readonly traces: readonly TraceSummary[];
  /** How many match in all. */
  readonly matching: number;
  /** What there is in the store. */
  readonly stored: { readonly traces: number; readonly spans: number; readonly bytes: number };
  /** Spans that have left to make room. */
  readonly dropped: number;
  /** Every service and every `endedBy` that is known, to choose from. */
  readonly services: readonly string[];
  readonly endings: readonly string[];
}

/** `GET /api/traces/<id>`; 404 if there is none. As OTLP: `GET /api/traces/<id>/otlp`. */
export interface Trace {
  readonly traceId: string;
  /** By their start. */
  readonly spans: readonly ViewedSpan[];
}

/** `GET /api/graph`: who calls whom, in all that is stored. Durations in milliseconds. */
export interface ServiceGraph {
  readonly services: readonly ServiceNode[];
  readonly calls: readonly ServiceCall[];
}

export interface ServiceNode {
  readonly name: string;
  /** Requests that it served. */
  readonly count: number;
  readonly failed: number;
  readonly p50: number;
  readonly p95: number;
}

export interface ServiceCall {
  readonly from: string;
  readonly to: string;
  readonly count: number;
  readonly failed: number;
  readonly p50: number;
  readonly p95: number;
}

/** `GET /api/changes`: server-sent events, one of name `change` at once, and at most four times a second while spans come in; no data but a count. */
export interface Change {
  readonly spans: number;
}

/** What an error answers, with its status. */
export interface Failure {
  readonly message: string;
}
