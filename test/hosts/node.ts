import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Readable, type Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

import { requestContext, streamContext } from "@throughline/http";

import { APPLICATION_ERROR, type Body, type Host } from "./host.ts";
import { gathered, pairsOf, printed, receivedByNode, trailersOfStream } from "./received.ts";

/** Without a framework: the caller of the listener handles its errors. */
export const onNode: Host["listener"] = (handler, { options, inner, onError }) => {
  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    await send(await handler(receivedByNode(req, res)), res);
  }
  const received = requestContext(inner === undefined ? handle : requestContext(handle, inner), options);
  return {
    on: "request",
    async listener(req, res) {
      try {
        await received(req, res);
      } catch (error) {
        await onError?.(error);
        res.statusCode = 500;
        res.end(APPLICATION_ERROR);
      }
    },
  };
};

/** HTTP/2 without the compatibility API. */
export const onStream: Host["listener"] = (handler, { options, inner, onError }) => {
  async function handle(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    ...rest: [flags: number, rawHeaders: string[]]
  ): Promise<void> {
    const all = gathered(Object.entries(headers), pairsOf(rest[1]));
    const trailers = trailersOfStream(stream);
    const body = await handler({
      text: () => text(stream),
      headers: () => all,
      trailers: () => gathered(trailers),
      printed: () => printed(stream, headers, ...rest),
      body: () => stream,
      node: { req: stream, res: stream } as never,
    });
    if (body === undefined) return;
    stream.respond({ ":status": 200 });
    await send(body, stream);
  }
  const received = streamContext(inner === undefined ? handle : streamContext(handle, inner), options);
  return {
    on: "stream",
    async listener(stream, headers, ...rest) {
      // A stream that the client resets emits an error on the server too.
      stream.on("error", () => {});
      try {
        await received(stream, headers, ...rest);
      } catch (error) {
        await onError?.(error);
        if (stream.headersSent || stream.destroyed) return;
        stream.respond({ ":status": 500 });
        stream.end(APPLICATION_ERROR);
      }
    },
  };
};

async function send(body: Body, to: Writable): Promise<void> {
  if (typeof body === "string") to.end(body);
  else if (body !== undefined) await pipeline(body instanceof Readable ? body : Readable.fromWeb(body as never), to);
}
