/** The JSON API of the viewer, under `/api`. */
import type { ViewedSpan } from "./span.ts";

/** A trace in a list. */
export interface TraceSummary {
  readonly traceId: string;
  /** The name of the root span. Until the root span arrives: of the earliest span without a known parent. */
  readonly name: string;
  readonly service: string;
  /** The services of all spans, in order of arrival. */
  readonly services: readonly string[];
  /** Milliseconds since the epoch. */
  readonly start: number;
  /** Milliseconds from the start of the first span to the end of the last. */
  readonly duration: number;
  readonly spans: number;
  /** Whether any span failed. */
  readonly failed: boolean;
  /** Number of spans that the store has dropped from the trace, if it has: the rest is only a part. */
  readonly dropped?: number;
  /** Set if the root span was sent without an end. */
  readonly isUnfinished?: true;
  /** HTTP status of the root span. */
  readonly status?: number | undefined;
  /** What ended the root span: `response`, `deadline`, `client`, ... */
  readonly endedBy?: string | undefined;
  /** Budget of the root span in milliseconds. */
  readonly budget?: number | undefined;
}

/** The query parameters of `GET /api/traces`. */
export interface TraceQuery {
  /** A service with at least one span in the trace. */
  readonly service?: string | undefined;
  /** `error`, an HTTP status of the root span such as `504`, or a class of statuses such as `5xx`. */
  readonly status?: string | undefined;
  readonly endedBy?: string | undefined;
  /** Bounds of the duration, in milliseconds. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /**
   * Part of a span name, status message, attribute or exception, a span id, or the beginning of a trace id. `key=value`
   * in it is an attribute of a span or of its resource.
   */
  readonly text?: string | undefined;
  /** Bounds of the time, in milliseconds since the epoch: a trace matches if any of its time is between them. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** @default by arrival, newest first */
  readonly sort?: TraceSort | undefined;
  /** Maximum number of traces; 1000 at most. @default 100 */
  readonly limit?: number | undefined;
}

export type TraceSort = "latest" | "longest" | "largest";

export interface TraceList {
  readonly traces: readonly TraceSummary[];
  /** Number of traces that match the query, including those beyond the limit. */
  readonly matching: number;
  /** Contents of the store. */
  readonly stored: { readonly traces: number; readonly spans: number; readonly bytes: number };
  /** Number of spans that the store has dropped to stay within its limits. */
  readonly dropped: number;
  /** The spans that senders sent and that the viewer refused because they are invalid, if there are any. */
  readonly refused?: RefusedSpans | undefined;
  /** Every service and every `endedBy` in the store, for the filters. */
  readonly services: readonly string[];
  readonly endings: readonly string[];
  /** The server of the option `from`, if there is one; `GET /api/remote/traces` searches it. */
  readonly remote?: RemoteServer | undefined;
}

export interface RefusedSpans {
  readonly spans: number;
  /** Why the last of them was refused. */
  readonly reason: string;
}

export interface RemoteServer {
  /** `undefined` until the server has answered. */
  readonly kind: "Tempo" | "Jaeger" | undefined;
  readonly url: string;
}

/** The answer to `POST /api/open`, whose body is a file of traces. */
export interface OpenedFile {
  readonly traceIds: readonly string[];
  readonly spans: number;
  /** Number of spans that are invalid, or above the limits of the store. */
  readonly rejected: number;
  /** Why the first of them was rejected. */
  readonly reason?: string;
}

/** The query parameters of `GET /api/deadlines`. */
export interface DeadlineQuery {
  /** Bounds of the start of the root span, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Service and name of the root span, as in `DeadlineReport.routes`. */
  readonly route?: string | undefined;
}

/** The query parameters of `GET /api/remote/deadlines`. */
export interface RemoteDeadlineQuery extends DeadlineQuery {
  /** A service with at least one span in the trace. Jaeger requires it. */
  readonly service?: string | undefined;
  /** Maximum number of traces; 500 at most. @default 100 */
  readonly limit?: number | undefined;
}

/**
 * `GET /api/deadlines`: the deadlines of all stored traces. `GET /api/remote/deadlines`: those of the traces that a search
 * of the server of the option `from` finds. Durations are in milliseconds.
 */
export interface DeadlineReport {
  readonly traces: number;
  /** Number of traces with a deadline, and of those in which one passed. */
  readonly withDeadline: number;
  readonly exceeded: number;
  /** Number of traces whose client left. */
  readonly clientLeft: number;
  /** The hops with a budget, those whose deadline passed most often first. */
  readonly hops: readonly HopDeadlines[];
  /** The time that each service worked itself, in traces with a deadline. */
  readonly spent: readonly ServiceTime[];
  /** Work that went on after the client had left. */
  readonly afterClientLeft: readonly WorkAfterEnd[];
  /** The root spans, for the filter. */
  readonly routes: readonly string[];
  /** The server of the option `from`, if there is one. */
  readonly remote?: RemoteServer | undefined;
  /** The search of that server, if the report is of its traces. */
  readonly search?: RemoteSearch;
}

export interface RemoteSearch {
  /** Number of traces that the search found, and the most that it could find. */
  readonly found: number;
  readonly limit: number;
  /** Number of found traces that could not be read, and why the first of them could not. */
  readonly unread: number;
  readonly reason?: string | undefined;
  /** The services of the server, for the filter. */
  readonly services: readonly string[];
}

export interface HopDeadlines {
  readonly service: string;
  readonly name: string;
  readonly source: string | undefined;
  readonly requests: number;
  /** Number of traces in which the deadline that this hop set passed first. */
  readonly fired: number;
  /** Number of requests for which the hop shortened the budget. */
  readonly cut: number;
  readonly budgetP50: number;
  /** Shares of the budget. */
  readonly usedP50: number;
  readonly usedP95: number;
}

export interface ServiceTime {
  readonly service: string;
  readonly ms: number;
  readonly share: number;
}

export interface WorkAfterEnd {
  readonly service: string;
  readonly name: string;
  readonly count: number;
  readonly total: number;
  readonly most: number;
}

/** `GET /api/traces/<id>`, 404 if the store does not have it. `ETag` changes with its spans. `GET /api/traces/<id>/otlp` returns it as OTLP. */
export interface Trace {
  readonly traceId: string;
  /** Sorted by start. */
  readonly spans: readonly ViewedSpan[];
  /** Number of spans that the store has dropped from the trace, if it has: `spans` is only a part. */
  readonly dropped?: number;
}

/** `GET /api/graph`: the calls between services in all stored traces. Durations are in milliseconds. */
export interface ServiceGraph {
  readonly services: readonly ServiceNode[];
  readonly calls: readonly ServiceCall[];
}

export interface ServiceNode {
  readonly name: string;
  /** Number of requests served. */
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

/**
 * The data of a server-sent event `change` from `GET /api/changes`. The server sends one on connection, then at most
 * four a second while spans arrive.
 */
export interface ChangeEvent {
  /** Number of spans received since the viewer started. */
  readonly spans: number;
}

/** The body of an error response. */
export interface ApiError {
  readonly message: string;
}
