import type http from "node:http";
import type http2 from "node:http2";
import type { Readable } from "node:stream";

import type { Guard, ServerOptions } from "@throughline/http";

/** What a test may ask of a request that is being handled. */
export interface Received {
  /** Reads the body, to its end. */
  text(): Promise<string>;
  /** What a handler can still read of the request's headers, in any of the ways in which its host tells of them. */
  headers(): Record<string, string>;
  /** What a handler can read of the trailers, in any of these ways, once it has read the body. */
  trailers(): Record<string, string>;
  /** All that a handler is given of the request, as `util.inspect` prints it. */
  printed(): string;
  /** Sets a header of the response before the handler returns, where there is one by then. */
  setHeader?(name: string, value: string): void;
  /** The body as the host gives it: a stream of Node's, or of the web (`null` where there is none). */
  body(): Readable | ReadableStream<Uint8Array> | null;
  /** The request and the response of Node's server; the same object twice for a stream of HTTP/2. */
  readonly node: NodeExchange;
}

export type NodeExchange = { readonly req: http.IncomingMessage; readonly res: http.ServerResponse };

/** The body of a 200, as a whole or as a stream; `undefined` where the handler writes to Node's response itself. */
export type Body = string | Readable | ReadableStream<Uint8Array> | undefined;

/** What a test wants done with a request. */
export type Handler = (received: Received) => Body | Promise<Body>;

/** What a server listens with. */
export type Listener =
  | { readonly on: "request"; readonly listener: http.RequestListener }
  | {
      readonly on: "stream";
      readonly listener: (
        stream: http2.ServerHttp2Stream,
        headers: http2.IncomingHttpHeaders,
        ...rest: [flags: number, rawHeaders: string[]]
      ) => void;
    };

export interface Host {
  readonly name: string;
  readonly protocol: "http/1.1" | "http/2";
  readonly isSecure?: boolean;
  /** Whether it tells the route by itself. */
  readonly hasRoutes?: boolean;
  /** Whether handlers return a `Response`, and so cannot write to Node's. */
  readonly isFetch?: boolean;
  /** Whether the host has guards. */
  readonly hasGuards?: boolean;
  listener(handler: Handler, setup: Setup): Listener;
}

/** How a server is set up. */
export interface Setup {
  readonly options?: ServerOptions | undefined;
  /** Options of a second request context, further in. */
  readonly inner?: ServerOptions | undefined;
  /** Goes after both. */
  readonly guard?: Guard | undefined;
  /** The application's own error handler waits for this before it answers. */
  readonly onError?: ((error: unknown) => void | Promise<void>) | undefined;
}

/** What an application answers to errors that are its own. */
export const APPLICATIONS_OWN = "the application's own handler";
