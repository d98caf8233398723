import type http from "node:http";
import type http2 from "node:http2";
import type { Readable } from "node:stream";

import type { ServerOptions } from "@throughline/http";

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
}

/** What a test wants done with a request; what it returns is the body of a 200, as a whole or as a stream. */
export type Handler = (received: Received) => string | Readable | Promise<string | Readable>;

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
  /**
   * @param inner options of a second request context, further in
   */
  listener(handler: Handler, options?: ServerOptions, inner?: ServerOptions): Listener;
}

/** What an application answers to errors that are its own. */
export const APPLICATIONS_OWN = "the application's own handler";
