import type { RequestListener } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";

import { ContextError } from "@throughline/context";
import { errorHandler, requestContext as forExpress } from "@throughline/express";
import { requestContext, type ServerOptions, streamContext } from "@throughline/http";
import express from "express";

import { handle } from "./handlers.ts";
import { CONCURRENCY, QUEUE } from "./kinds.ts";

const OPEN: ServerOptions = { maxTimeout: "5s" };
const LIMITED: ServerOptions = { firstByteTimeout: "25ms", idleTimeout: "40ms" };
const ADMITTED: ServerOptions = { admission: { concurrency: CONCURRENCY, queue: QUEUE, deadlineAware: true } };

const nothing = (): void => {};

/** Error codes of Node when a handler reads or writes after the client disconnected. */
const DISCONNECT_CODES = new Set(["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"]);

/** Handlers may fail because their context ended or their client disconnected. Every other error is a bug. */
function rethrowUnexpected(error: unknown): void {
  const isExpected = error instanceof ContextError || DISCONNECT_CODES.has((error as NodeJS.ErrnoException).code ?? "");
  if (!isExpected) throw error;
}

/** Work before the route that takes time and ignores the context. */
const authenticate = (): Promise<void> => delay(2);

/** Each gate has its own options in the outermost middleware; `inner` has them in an inner one. */
export function expressApp(): RequestListener {
  const app = express();
  app.use("/limited", forExpress(LIMITED));
  app.use("/admitted", forExpress(ADMITTED));
  app.use(forExpress(OPEN));
  app.use("/inner", (_req, _res, next) => void authenticate().then(() => next()), forExpress(ADMITTED));
  app.all("/:gate/:what", (req, res) => handle(req.originalUrl, { body: req, to: res, begin: nothing }));
  app.use(errorHandler());
  app.use(((error, _req, res, _next) => {
    // Express would catch a synchronous error.
    queueMicrotask(() => rethrowUnexpected(error));
    if (res.headersSent) res.destroy();
    else res.status(500).end();
  }) as express.ErrorRequestHandler);
  return app;
}

/** Uses the compatibility API of `node:http2`. */
export function http2Listener(): (req: Http2ServerRequest, res: Http2ServerResponse) => void {
  const gates = gatesOf<[Http2ServerRequest, Http2ServerResponse]>(requestContext, (req, res) =>
    handle(req.url, { body: req, to: res, begin: nothing }),
  );
  return async (req, res) => {
    try {
      await gates[gateOf(req.url)]!(req, res);
    } catch (error) {
      rethrowUnexpected(error);
      if (res.headersSent) return res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      res.statusCode = 500;
      res.end();
    }
  };
}

/** Uses streams of `node:http2`. */
export function streamListener(): (...args: StreamArgs) => void {
  const gates = gatesOf<StreamArgs>(streamContext, (stream, headers) =>
    handle(headers[":path"]!, { body: stream, to: stream, begin: () => begin(stream) }),
  );
  return async (...args) => {
    const [stream, headers] = args;
    // A stream that the client resets emits an error on the server too.
    stream.on("error", nothing);
    try {
      await gates[gateOf(headers[":path"]!)]!(...args);
    } catch (error) {
      rethrowUnexpected(error);
      if (stream.headersSent || stream.destroyed) return stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      stream.respond({ ":status": 500 }, { endStream: true });
    }
  };
}

type StreamArgs = Parameters<ReturnType<typeof streamContext>>;
type Listener<Args extends unknown[]> = (...args: Args) => void | Promise<void>;

function gatesOf<Args extends unknown[]>(
  withContext: (listener: Listener<Args>, options: ServerOptions) => Listener<Args>,
  listener: Listener<Args>,
): Record<string, Listener<Args>> {
  const admitted = withContext(listener, ADMITTED);
  return {
    open: withContext(listener, OPEN),
    limited: withContext(listener, LIMITED),
    admitted,
    inner: withContext(async (...args) => {
      await authenticate();
      await admitted(...args);
    }, OPEN),
  };
}

/** Does nothing if the client has disconnected. */
function begin(stream: ServerHttp2Stream): void {
  if (!stream.closed && !stream.destroyed) stream.respond();
}

function gateOf(path: string): string {
  return path.split("/", 2)[1]!;
}
