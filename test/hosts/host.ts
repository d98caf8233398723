import type http from "node:http";
import type http2 from "node:http2";
import type { Readable } from "node:stream";

import type { Guard, ServerOptions } from "@throughline/http";

/** The request of a handler, with what tests need of it. */
export interface Received {
  /** Reads the complete body. */
  text(): Promise<string>;
  /** The headers that a handler can read in any way that the host offers. */
  headers(): Record<string, string>;
  /** The trailers that a handler can read in any of these ways after the body. */
  trailers(): Record<string, string>;
  /** The arguments of the handler, as `util.inspect` prints them. */
  printed(): string;
  /** Sets a response header before the handler returns, if the host has a response by then. */
  setHeader?(name: string, value: string): void;
  /** The body as the host provides it: a Node stream or a web stream; `null` for a Request without a body. */
  body(): Readable | ReadableStream<Uint8Array> | null;
  /** The request and the response of Node's server; the same object twice for an HTTP/2 stream. */
  readonly node: NodePair;
}

export type NodePair = { readonly req: http.IncomingMessage; readonly res: http.ServerResponse };

/** The body of a 200 response; `undefined` if the handler writes to Node's response itself. */
export type Body = string | Readable | ReadableStream<Uint8Array> | undefined;

/** The handler of a test. */
export type Handler = (received: Received) => Body | Promise<Body>;

/** A listener of Node's server. */
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

/** A framework or server API that Throughline supports. */
export interface Host {
  readonly name: string;
  readonly protocol: "http/1.1" | "http/2";
  readonly isSecure?: boolean;
  /** Whether the host reports the route by itself. */
  readonly hasRoutes?: boolean;
  /** Whether handlers return a `Response` instead of writing to Node's. */
  readonly isFetch?: boolean;
  /** Whether the host has guards. */
  readonly hasGuards?: boolean;
  listener(handler: Handler, setup: Setup): Listener;
}

/** The set-up of a server. */
export interface Setup {
  readonly options?: ServerOptions | undefined;
  /** Options of a second, inner request context. */
  readonly inner?: ServerOptions | undefined;
  /** Runs after both request contexts. */
  readonly guard?: Guard | undefined;
  /** The application's error handler waits for this before it responds. */
  readonly onError?: ((error: unknown) => void | Promise<void>) | undefined;
}

/** The response body of the application's error handler. */
export const APPLICATION_ERROR = "the application's own handler";
