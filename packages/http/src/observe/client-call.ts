import type { Rpc } from "./rpc.ts";
import type { EndedBy } from "./server-request.ts";

/**
 * The phase of a call: waiting for a connection, connecting, waiting for the response head, reading the body. For a database: waiting for a pool, a
 * statement, a commit.
 */
export type CallPhase = "queue" | "connect" | "headers" | "body" | "pool" | "query" | "commit";

/** A request that is about to be sent. */
export interface OutgoingRequest {
  readonly method: string;
  /** `undefined` for URLs that do not use HTTP. */
  readonly url: URL | undefined;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Whether another instrumentation makes the span and writes the trace headers. */
  readonly isTracedElsewhere: boolean;
  /** The remote procedure, if the request calls one. */
  readonly rpc?: Rpc | undefined;
  /** The `baggage` header that the caller has set. */
  readonly baggage?: string | undefined;
}

/** How a call ended, for its span and its metrics. */
export interface CallEnd {
  readonly endedBy: EndedBy;
  /** `error.type`; `undefined` for success and for cancellation, which is not an error. */
  readonly errorType: string | undefined;
}
