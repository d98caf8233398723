import type { Context } from "@throughline/context";

import type { RequestHeaders } from "../wire/headers.ts";
import type { Rpc } from "./rpc.ts";

/** The other end of the connection, which may be a proxy. */
export interface Peer {
  /** The remote address; `undefined` on a unix socket. */
  readonly address: string | undefined;
  /** Whether the connection uses a unix socket. File permissions control access to it. */
  readonly isUnixSocket: boolean;
  /**
   * The subjects of the verified client certificate in Node's notation: `"CN=gateway"`, `"DNS:gateway.internal"`,
   * `"URI:spiffe://shop/gateway"`. Contains no `CN=` if the certificate has several common names.
   */
  readonly subjects: readonly string[];
}

/** A request as the server received it, on any host. */
export interface IncomingRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly scheme: string;
  /** Host and port in the client's request. */
  readonly authority: string | undefined;
  readonly protocolVersion?: string | undefined;
  readonly clientAddress?: string | undefined;
  readonly headers: RequestHeaders;
  /** The sender, where the host exposes the connection. */
  readonly peer?: Peer | undefined;
  /** The HTTP/1 connection; pipelined responses leave it in order. */
  readonly connection?: object | undefined;
  /** The remote procedure, if the request calls one. */
  readonly rpc?: Rpc | undefined;
  /** Removes a header, also for handlers that read the request later. */
  remove(name: string): void;
  replace(name: string, value: string): void;
  /** Removes trailers when they arrive, by name. Absent if the host has no trailers. */
  removeTrailers?(isUnwanted: (name: string) => boolean): void;
}

/**
 * What ended a request: a complete response; a rejection before a handler ran; the deadline; a client that
 * disconnected; another cancellation; an error.
 */
export type EndedBy = "response" | "refusal" | "deadline" | "client" | "cancel" | "error";

/** How a response ended, as the host reports it. */
export interface ResponseEnd {
  /** Whether the response was sent completely. */
  readonly isDelivered: boolean;
  /** Absent if no response head was sent. */
  readonly status?: number | undefined;
}

/** The result of a request. */
export interface Outcome extends ResponseEnd {
  readonly endedBy: EndedBy;
  /** The first error of a handler. */
  readonly error: unknown;
  /** The matched route, if known. */
  readonly route: string | undefined;
}

/** Receives the result of a request: a span, a metric, admission control. */
export interface ServerObserver {
  end(outcome: Outcome, request: { readonly ctx: Context }): void;
}
