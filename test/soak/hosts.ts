import type { RequestListener } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";

import { ContextError } from "@throughline/context";
import { errorHandler, requestContext as forExpress } from "@throughline/express";
import { requestContext, type ServerOptions, streamContext } from "@throughline/http";
import express from "express";

import { handle } from "./handlers.ts";
import { CONCURRENCY, QUEUE } from "./room.ts";

const OPEN: ServerOptions = { maxTimeout: "5s" };
const LIMITED: ServerOptions = { firstByteTimeout: "25ms", idleTimeout: "40ms" };
const ADMITTED: ServerOptions = { admission: { concurrency: CONCURRENCY, queue: QUEUE, deadlineAware: true } };

const nothing = (): void => {};

/** What Node says to whoever reads the body, or writes the answer, of a client that has left. */
const LEFT = new Set(["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"]);

/** The handlers here fail where their context has ended or their client has left. What else is thrown is none of theirs. */
function rethrowUnexpected(error: unknown): void {
  const isExpected = error instanceof ContextError || LEFT.has((error as NodeJS.ErrnoException).code ?? "");
  if (!isExpected) throw error;
}

/** Does what an application may do before it comes to a route: something that takes its time, and does not listen. */
const authenticate = (): Promise<void> => delay(2);

/** Each gate has options of its own, which the outermost middleware takes first; `inner` has them further in. */
export function expressApp(): RequestListener {
  const app = express();
  app.use("/limited", forExpress(LIMITED));
  app.use("/admitted", forExpress(ADMITTED));
  app.use(forExpress(OPEN));
  app.use("/inner", (_req, _res, next) => void authenticate().then(() => next()), forExpress(ADMITTED));
  app.all("/:gate/:what", (req, res) => handle(req.originalUrl, { body: req, to: res, begin: nothing }));
  app.use(errorHandler());
  app.use(((error, _req, res, _next) => {
    // Express would catch it.
    queueMicrotask(() => rethrowUnexpected(error));
    if (res.headersSent) res.destroy();
    else res.status(500).end();
  }) as express.ErrorRequestHandler);
  return app;
}

/** By the compatibility API of `node:http2`. */
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

/** By streams of `node:http2`. */
export function streamListener(): (...args: StreamArgs) => void {
  const gates = gatesOf<StreamArgs>(streamContext, (stream, headers) =>
    handle(headers[":path"]!, { body: stream, to: stream, begin: () => begin(stream) }),
  );
  return async (...args) => {
    const [stream, headers] = args;
    // As a client that resets its stream has the server's fail too.
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
  const further = withContext(listener, ADMITTED);
  return {
    open: withContext(listener, OPEN),
    limited: withContext(listener, LIMITED),
    admitted: withContext(listener, ADMITTED),
    inner: withContext(async (...args) => {
      await authenticate();
      await further(...args);
    }, OPEN),
  };
}

/** Does nothing where nobody is left. */
function begin(stream: ServerHttp2Stream): void {
  if (!stream.closed && !stream.destroyed) stream.respond();
}

function gateOf(path: string): string {
  return path.split("/", 2)[1]!;
}
